// SPDX-License-Identifier: Apache-2.0

package import APIProtos
import Authority
import FoundationEssentials
import Groundwork
import Issuance
import Logging
import SPIFFE
import SwiftProtobuf

extension SVIDService {
    /// Signs a certificate for an operator, with the identity, DNS names and subject of the CSR.
    package func mintX509(
        _ request: Spire_Api_Server_Svid_V1_MintX509SVIDRequest, _ call: Call
    ) async throws -> Spire_Api_Server_Svid_V1_MintX509SVIDResponse {
        guard !request.csr.isEmpty else { throw APIFailure.invalid("missing CSR") }
        let der = [UInt8](request.csr)
        call.audit(["csr": "\(sha256Hex(der))", LogKey.ttlField: "\(request.ttl)"])
        let (csr, id) = try parse(der)
        call.audit([LogKey.spiffeID: "\(id)", "dns_name": "\(csr.dnsNames.joined(separator: ","))"])
        do {
            try call.grant?.scope.checkMint(
                id, dnsNames: csr.dnsNames, 
                hasSubject: Self.hasSubject(csr.subject) && csr.subject != DistinguishedName.svid.der, ids.trustDomain)
            try await call.grant?.checkPrivileges(id.description)
        } catch {
            throw EntryService.denied(error)
        }
        let svid: IssuedX509SVID
        do {
            svid = try await issuer.workloadX509SVID(
                id: id, publicKey: csr.publicKey, dnsNames: csr.dnsNames, ttl: request.ttl,
                subject: Self.hasSubject(csr.subject) ? csr.subject : nil)
        } catch {
            throw APIFailure.internal("failed to sign X509-SVID", error)
        }
        call.audit([LogKey.expiresAt: "\(rfc3339(svid.expiresAt))"])
        call.debug(
            "Signed X509 SVID",
            [
                LogKey.spiffeID: "\(id)", LogKey.expiration: "\(rfc3339(svid.expiresAt))",
                LogKey.serialNumber: "\(svid.serialNumber)", "dns_name": "\(csr.dnsNames.joined(separator: ","))",
            ])
        return .with { $0.svid = X509SVIDMapping.proto(svid, ids) }
    }

    private func parse(_ der: [UInt8]) throws -> (CSR, SPIFFEID) {
        let csr: CSR
        do {
            csr = try CSR.parse(der)
        } catch {
            throw APIFailure.invalid("malformed CSR", error)
        }
        do {
            try csr.verifySignature()
        } catch {
            throw APIFailure.invalid("failed to verify CSR signature", error)
        }
        guard let uri = csr.uris.first else { throw APIFailure.invalid("CSR URI SAN is required") }
        guard csr.uris.count == 1 else { throw APIFailure.invalid("only one URI SAN is expected") }
        let id: SPIFFEID
        do {
            id = try ids.workload(SPIFFEID(uri))
        } catch {
            throw APIFailure.invalid("CSR URI SAN is invalid", error)
        }
        for name in csr.dnsNames {
            do {
                try DNSNames.check(name)
            } catch {
                throw APIFailure.invalid("CSR DNS name is invalid", error)
            }
        }
        if DNSNames.wildcardOverlap(csr.dnsNames) {
            throw APIFailure.invalid(
                "CSR DNS name contains a wildcard that covers another non-wildcard name", cause: "wildcard overlap")
        }
        return (csr, id)
    }

    /// Whether the DER of a name holds anything: an empty one is `30 00`.
    static func hasSubject(_ der: [UInt8]) -> Bool { der.count > 2 }
}
