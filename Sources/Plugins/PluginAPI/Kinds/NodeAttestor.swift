// SPDX-License-Identifier: Apache-2.0

/// The conversation of an attestation as one side sees it: send bytes, get the other side's answer.
package protocol AttestationExchange: Sendable {
    /// Sends and waits for the answer. - Throws: when the other side ends the conversation.
    func exchange(_ bytes: [UInt8]) async throws -> [UInt8]
}

/// The agent's half of a node attestor.
package protocol AgentNodeAttestor: Sendable {
    var name: String { get }
    /// The first message to the server; at least one byte.
    func payload() async throws -> [UInt8]
    /// Answers a challenge; at least one byte. - Throws: when the attestor knows no challenges.
    func respond(to challenge: [UInt8]) async throws -> [UInt8]
}

/// What the server's half of a node attestor found out.
package struct NodeAttestation: Sendable, Hashable {
    /// `spiffe://<td>/spire/agent/<attestor>/…`
    package var agentID: String
    /// Selector values; the type is the plugin's name.
    package var selectorValues: [String]
    package var canReattest: Bool
    package init(agentID: String, selectorValues: [String] = [], canReattest: Bool = false) {
        self.agentID = agentID
        self.selectorValues = selectorValues
        self.canReattest = canReattest
    }
}

/// The server's half of a node attestor.
package protocol ServerNodeAttestor: Sendable {
    var name: String { get }
    func attest(payload: [UInt8], exchange: any AttestationExchange) async throws -> NodeAttestation
}
