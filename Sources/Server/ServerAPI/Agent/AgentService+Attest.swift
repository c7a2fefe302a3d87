// SPDX-License-Identifier: Apache-2.0

package import APIProtos
import Authority
import Datastore
import FoundationEssentials
import Groundwork
import Logging
import PluginAPI
package import RPC
import SPIFFE
import SwiftProtobuf

extension AgentService {
    package typealias AttestRequest = Spire_Api_Server_Agent_V1_AttestAgentRequest
    package typealias AttestResponse = Spire_Api_Server_Agent_V1_AttestAgentResponse

    /// Attests an agent: proof, possibly challenges, then its first certificate.
    package func attest(
        _ requests: RequestStream<AttestRequest>, _ responses: ResponseWriter<AttestResponse>, _ call: Call
    ) async throws {
        guard let first = try await requests.next() else {
            throw APIFailure.invalid("malformed param", cause: "missing params")
        }
        let params = try Self.checked(first)
        let type = params.data.type
        call.audit([LogKey.attestor: "\(type)"])

        let attestation =
            type == "join_token"
            ? try await attestJoinToken(params.data.payload)
            : try await attestByPlugin(params.data, ChallengeExchange(requests: requests, responses: responses))
        let id = try checkedAgentID(attestation.agentID, type: type, call)
        call.audit([LogKey.agentID: "\(id)"])

        let present: AttestedNode?
        do {
            present = try await store.node(id: id.description)
        } catch {
            throw APIFailure.internal("failed to fetch agent", error)
        }
        if let present, present.serialNumber.isEmpty {
            throw APIFailure(.permissionDenied, "failed to attest: agent is banned")
        }
        let svid = try await sign(id, csr: [UInt8](params.params.csr))
        call.audit([:], more: [LogKey.serialNumber: "\(svid.serialNumber)"])
        try await record(attestation, id: id, type: type, svid: svid, isNew: present == nil)

        var result = AttestResponse.Result()
        result.svid = X509SVIDMapping.proto(svid, ids)
        result.reattestable = attestation.canReattest
        try await responses.send(.with { $0.result = result })
        var fields: Logger.Metadata = [LogKey.agentID: "\(id)", LogKey.attestor: "\(type)"]
        if let address = call.address { fields[LogKey.address] = "\(address)" }
        call.logger.info("Agent attestation request completed", metadata: fields)
    }

    static func checked(_ request: AttestRequest) throws -> AttestRequest.Params {
        func malformed(_ what: String) -> APIFailure { .invalid("malformed param", cause: what) }
        guard case .params(let params) = request.step else { throw malformed("missing params") }
        guard params.hasData else { throw malformed("missing attestation data") }
        guard params.hasParams else { throw malformed("missing X509-SVID parameters") }
        guard !params.params.csr.isEmpty else { throw malformed("missing CSR") }
        guard !params.data.type.isEmpty else { throw malformed("missing attestation data type") }
        guard !params.data.payload.isEmpty else { throw malformed("missing attestation data payload") }
        return params
    }

    /// A token is spent by its first use, even a late one: whoever takes it, takes it alone.
    private func attestJoinToken(_ payload: Data) async throws -> NodeAttestation {
        guard options.joinTokens else { throw Self.unknownAttestor("join_token") }
        guard let token = String(validating: payload, as: UTF8.self),
            let id = try? SPIFFEID(ids.trustDomain, path: Self.joinTokenPath(token))
        else {
            throw APIFailure.invalid("failed to attest: join token does not exist or has already been used")
        }
        let taken: JoinToken?
        do {
            taken = try await store.takeJoinToken(token)
        } catch {
            throw APIFailure.internal("failed to fetch join token", error)
        }
        guard let taken else {
            throw APIFailure.invalid("failed to attest: join token does not exist or has already been used")
        }
        guard Int64(time.now.timeIntervalSince1970) <= taken.expiry else {
            throw APIFailure.invalid("join token expired")
        }
        return NodeAttestation(agentID: id.description)
    }

    private func attestByPlugin(
        _ data: Spire_Api_Types_AttestationData, _ exchange: ChallengeExchange
    ) async throws -> NodeAttestation {
        guard let attestor = attestors[data.type] else { throw Self.unknownAttestor(data.type) }
        do {
            return try await attestor.attest(payload: [UInt8](data.payload), exchange: exchange)
        } catch {
            throw APIFailure(
                APIFailure.code(of: error), "nodeattestor(\(data.type)): \(APIFailure.text(of: error))")
        }
    }

    private static func unknownAttestor(_ type: String) -> APIFailure {
        APIFailure(
            .failedPrecondition, "error getting node attestor", cause: "could not find node attestor type \"\(type)\"")
    }

    private func checkedAgentID(_ text: String, type: String, _ call: Call) throws -> SPIFFEID {
        let id: SPIFFEID
        do {
            id = try ids.member(SPIFFEID(text))
        } catch {
            throw APIFailure.internal("invalid agent ID", error)
        }
        guard id.path != "/spire/server" else {
            throw APIFailure(.internal, "agent ID cannot collide with the server ID")
        }
        if !id.path.hasPrefix("/spire/agent/\(type)/") {
            call.logger.warning(
                "The node attestor produced an invalid agent ID; future releases will enforce that agent IDs are within the reserved agent namesepace for the node attestor",
                metadata: [LogKey.agentID: "\(id)", LogKey.attestor: "\(type)"])
        }
        return id
    }

    private func record(
        _ attestation: NodeAttestation, id: SPIFFEID, type: String, svid: IssuedX509SVID, isNew: Bool
    ) async throws {
        var selectors = attestation.selectorValues.map { Selector(type: type, value: $0) }
        if options.agentIDAsSelector { selectors.append(Selector(type: "spiffe_id", value: id.description)) }
        do {
            try await store.setNodeSelectors(id: id.description, Array(Set(selectors)).sorted())
        } catch {
            throw APIFailure.internal("failed to update selectors", error)
        }
        let node = AttestedNode(
            spiffeID: id.description, attestationType: type, serialNumber: svid.serialNumber,
            expiresAt: Int64(svid.expiresAt.timeIntervalSince1970), canReattest: attestation.canReattest)
        do {
            if isNew {
                try await store.createNode(node)
            } else {
                try await store.updateNode(
                    node, fields: [.serialNumber, .expiresAt, .newSerialNumber, .newExpiresAt, .canReattest])
            }
        } catch {
            throw APIFailure.internal(isNew ? "failed to create attested agent" : "failed to update attested agent", error)
        }
    }
}

/// Carries a plugin's challenges over the attestation stream.
struct ChallengeExchange: AttestationExchange {
    let requests: RequestStream<AgentService.AttestRequest>
    let responses: ResponseWriter<AgentService.AttestResponse>

    func exchange(_ bytes: [UInt8]) async throws -> [UInt8] {
        try await responses.send(.with { $0.challenge = Data(bytes) })
        guard let answer = try await requests.next() else {
            throw APIFailure.invalid("malformed param", cause: "missing challenge response")
        }
        guard case .challengeResponse(let bytes) = answer.step else {
            throw APIFailure.invalid("malformed param", cause: "missing challenge response")
        }
        return [UInt8](bytes)
    }
}
