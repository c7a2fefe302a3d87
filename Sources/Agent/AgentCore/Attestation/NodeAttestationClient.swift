// SPDX-License-Identifier: Apache-2.0

import APIProtos
import FoundationEssentials
import Groundwork
import Issuance
package import Logging
package import NIOCore
package import PluginAPI
import RPC
import SPIFFE
import Wire

/// Asks the server for the agent's first SVID, over a connection that shows no certificate.
package struct NodeAttestationClient: Sendable {
    package let place: ServerPlace
    package let group: any EventLoopGroup
    package let clocks: Clocks
    package let logger: Logger

    /// Longest a whole attestation may take; a server that hangs must not hang the agent.
    private static let timeout: Duration = .seconds(60)
    /// Most challenges answered.
    private static let maximumChallenges = 64

    package init(place: ServerPlace, group: any EventLoopGroup, clocks: Clocks, logger: Logger) {
        self.place = place
        self.group = group
        self.clocks = clocks
        self.logger = logger
    }

    /// Runs the attestation with a new key.
    ///
    /// - Parameter authorities: DER certificates the server is verified against; `nil` checks its name only.
    /// - Returns: the SVID, and the trust domain's bundle asked for over the same connection.
    /// - Throws: `RPCStatus`, `agent.server_untrusted`, `agent.server_identity`, `agent.server_answer`.
    package func attest(
        with attestor: any AgentNodeAttestor, key: any ManagedKey, authorities: [[UInt8]]?
    ) async throws -> (svid: AgentSVID, bundle: TrustBundle) {
        let connection = ServerConnection(
            place, group: group, time: clocks.time, logger: logger, identity: { nil }, authorities: { authorities })
        do {
            let result = try await connection.run { client in
                let svid = try await converse(client, attestor, key)
                let bundle = try await client.unary(
                    BundleMethods.getBundle, Spire_Api_Server_Bundle_V1_GetBundleRequest(),
                    options: CallOptions(timeout: .seconds(30)))
                return (svid, try Mapping.bundle(bundle))
            }
            await connection.close()
            return result
        } catch {
            await connection.close()
            throw error
        }
    }

    private func converse(
        _ client: RPCClient, _ attestor: any AgentNodeAttestor, _ key: any ManagedKey
    ) async throws -> AgentSVID {
        let csr = try await CSR.make(signer: key, uri: nil)
        let payload = try await attestor.payload()
        guard !payload.isEmpty else { throw SpireError(.attestation, "plugin response missing payload") }
        return try await client.bidirectional(
            AgentMethods.attestAgent, options: CallOptions(timeout: Self.timeout)
        ) { requests, responses in
            var first = Spire_Api_Server_Agent_V1_AttestAgentRequest()
            first.params.data.type = attestor.name
            first.params.data.payload = Data(payload)
            first.params.params.csr = Data(csr)
            try await requests.send(first)
            for _ in 0...Self.maximumChallenges {
                guard let response = try await responses.next() else { break }
                switch response.step {
                case .challenge(let challenge)?:
                    let answer = try await attestor.respond(to: Array(challenge))
                    guard !answer.isEmpty else {
                        throw SpireError(.attestation, "plugin response missing challenge response")
                    }
                    var request = Spire_Api_Server_Agent_V1_AttestAgentRequest()
                    request.challengeResponse = Data(answer)
                    try await requests.send(request)
                case .result(let result)?:
                    try? await requests.finish()
                    return try AgentSVID(
                        chain: result.svid.certChain.map { Array($0) }, key: key, isReattestable: result.reattestable)
                case nil:
                    throw SpireError(.serverAnswer, "the server sent neither a challenge nor a result")
                }
            }
            throw SpireError(.serverAnswer, "the server ended the attestation without a result")
        }
    }
}
