// SPDX-License-Identifier: Apache-2.0

package import APIProtos
import Authority
import Datastore
import FoundationEssentials
import Groundwork
import Issuance
import Logging
import RPC
import SPIFFE
import SwiftProtobuf

extension SVIDService {
    package typealias BatchResponse = Spire_Api_Server_Svid_V1_BatchNewX509SVIDResponse
    typealias BatchParams = Spire_Api_Server_Svid_V1_NewX509SVIDParams

    /// Signs certificates of entries for the agent that is authorized for them, side by side on all cores.
    package func batchNewX509(
        _ request: Spire_Api_Server_Svid_V1_BatchNewX509SVIDRequest, _ call: Call
    ) async throws -> BatchResponse {
        guard !request.params.isEmpty else { throw APIFailure.invalid("missing parameters") }
        try await call.limit(cost: request.params.count)
        let entries = try await entries(Set(request.params.lazy.map(\.entryID)), of: call)
        let params = request.params
        if params.count <= 2 {
            let results = await sign(params[...], entries, call)
            return .with { $0.results = results }
        }
        let piece = (params.count + lanes * 2 - 1) / (lanes * 2)
        // Checking a CSR and signing is all computation: off the event loop, a few large pieces, never a task an item.
        let pieces = await withTaskGroup(of: (Int, [BatchResponse.Result]).self) { group in
            for start in stride(from: 0, to: params.count, by: piece) {
                let slice = params[start..<min(start + piece, params.count)]
                group.addTask(executorPreference: globalConcurrentExecutor) {
                    (start, await sign(slice, entries, call))
                }
            }
            var pieces: [(Int, [BatchResponse.Result])] = []
            for await piece in group { pieces.append(piece) }
            return pieces.sorted { $0.0 < $1.0 }
        }
        var response = BatchResponse()
        response.results.reserveCapacity(params.count)
        for (_, results) in pieces { response.results.append(contentsOf: results) }
        return response
    }

    private func sign(
        _ params: ArraySlice<BatchParams>, _ entries: [String: RegistrationEntry], _ call: Call
    ) async -> [BatchResponse.Result] {
        var results: [BatchResponse.Result] = []
        results.reserveCapacity(params.count)
        for item in params {
            if Task.isCancelled { break }
            results.append(await sign(item, entries, call))
        }
        return results
    }

    private func sign(
        _ params: BatchParams, _ entries: [String: RegistrationEntry], _ call: Call
    ) async -> BatchResponse.Result {
        let der = [UInt8](params.csr)
        do {
            let (svid, entry) = try await signed(params, der, entries)
            call.debug(
                "Signed X509 SVID",
                [
                    LogKey.entryID: "\(entry.id)", LogKey.spiffeID: "\(svid.id)",
                    LogKey.expiration: "\(rfc3339(svid.expiresAt))", LogKey.serialNumber: "\(svid.serialNumber)",
                    "revision_number": "\(entry.revisionNumber)",
                ])
            call.auditItem(
                nil,
                [
                    "csr": "\(sha256Hex(der))", LogKey.entryID: "\(params.entryID)", LogKey.spiffeID: "\(svid.id)",
                    LogKey.expiresAt: "\(Int64(svid.expiresAt.timeIntervalSince1970))",
                ], more: [LogKey.serialNumber: "\(svid.serialNumber)"])
            var result = BatchResponse.Result()
            result.status = .ok
            result.svid = X509SVIDMapping.proto(svid, ids)
            return result
        } catch {
            let status = call.report(error, fields: [LogKey.entryID: "\(params.entryID)"])
            call.auditItem(status, ["csr": "\(sha256Hex(der))", LogKey.entryID: "\(params.entryID)"])
            return .with { $0.status = Spire_Api_Types_Status(status) }
        }
    }

    private func signed(
        _ params: BatchParams, _ der: [UInt8], _ entries: [String: RegistrationEntry]
    ) async throws -> (IssuedX509SVID, RegistrationEntry) {
        guard !params.entryID.isEmpty else { throw APIFailure.invalid("missing entry ID") }
        guard !der.isEmpty else { throw APIFailure.invalid("missing CSR") }
        guard let entry = entries[params.entryID] else {
            throw APIFailure.notFound("entry not found or not authorized")
        }
        let csr: CSR
        do {
            csr = try CSR.parse(der)
        } catch {
            throw APIFailure.invalid("malformed CSR", error)
        }
        do {
            try csr.verifySignature()
        } catch {
            throw APIFailure.invalid("invalid CSR signature", error)
        }
        guard let id = try? SPIFFEID(entry.spiffeID) else {
            throw APIFailure(.internal, "entry has malformed SPIFFE ID")
        }
        do {
            let svid = try await issuer.workloadX509SVID(
                id: id, publicKey: csr.publicKey, dnsNames: entry.dnsNames, ttl: entry.x509SVIDTTL, subject: nil)
            return (svid, entry)
        } catch {
            throw APIFailure.internal("failed to sign X509-SVID", error)
        }
    }
}
