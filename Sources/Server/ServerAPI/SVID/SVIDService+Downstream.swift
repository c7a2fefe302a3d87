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
    /// Signs an intermediate CA for a downstream server of the same trust domain.
    package func newDownstreamCA(
        _ request: Spire_Api_Server_Svid_V1_NewDownstreamX509CARequest, _ call: Call
    ) async throws -> Spire_Api_Server_Svid_V1_NewDownstreamX509CAResponse {
        guard !call.downstreamEntries.isEmpty else {
            throw APIFailure(.internal, "caller is not a downstream workload")
        }
        let der = [UInt8](request.csr)
        call.audit(["csr": "\(sha256Hex(der))", LogKey.trustDomain: "\(ids.trustDomain.id)"])
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
        let chain: [[UInt8]]
        do {
            chain = try await issuer.downstreamX509CA(publicKey: csr.publicKey, ttl: request.preferredTtl)
        } catch {
            throw APIFailure.internal("failed to sign downstream X.509 CA", error)
        }
        let own: TrustBundle?
        do {
            own = try await bundles.fresh(ids.trustDomain)
        } catch {
            throw APIFailure.internal("failed to fetch bundle", error)
        }
        guard let own else { throw APIFailure.notFound("bundle not found") }
        return .with {
            $0.caCertChain = chain.map { Data($0) }
            $0.x509Authorities = own.x509Authorities.map { Data($0.der) }
        }
    }
}
