// SPDX-License-Identifier: Apache-2.0

package import Groundwork

extension SpireError.Code {
    /// `agent-data.json` is malformed.
    package static let storageMalformed = SpireError.Code("agent.storage_malformed")
    /// The server broke the entry synchronisation protocol.
    package static let syncProtocol = SpireError.Code("agent.sync_protocol")
    /// The bootstrap bundle could not be obtained or holds no certificate.
    package static let bootstrapBundle = SpireError.Code("agent.bootstrap_bundle")
    /// The server's certificate does not lead to an authority of the trust bundle.
    package static let serverUntrusted = SpireError.Code("agent.server_untrusted", wire: .unavailable)
    /// The server's certificate is trusted but names somebody else.
    package static let serverIdentity = SpireError.Code("agent.server_identity", wire: .unavailable)
    /// The server's answer lacks something it must hold.
    package static let serverAnswer = SpireError.Code("agent.server_answer")
    /// A call to the server failed.
    package static let serverCall = SpireError.Code("agent.server_call", wire: .unavailable)
    /// Node attestation did not lead to an identity.
    package static let attestation = SpireError.Code("agent.attestation")
    /// The agent's own SVID has expired and could not be replaced.
    package static let svidExpired = SpireError.Code("agent.svid_expired")
    /// The server no longer accepts this agent, and it cannot attest again.
    package static let notAttested = SpireError.Code("agent.not_attested")
    /// The server banned this agent.
    package static let banned = SpireError.Code("agent.banned")
    /// The stored bundle and the server disagree, and the agent must start over.
    package static let mustRebootstrap = SpireError.Code("agent.must_rebootstrap")
    /// A JWT-SVID could neither be fetched nor found in the cache.
    package static let jwtUnavailable = SpireError.Code("agent.jwt_unavailable", wire: .unavailable)
    /// Everything an agent can report beyond the common codes.
    package static let agentCodes: [SpireError.Code] = [
        .storageMalformed, .syncProtocol, .bootstrapBundle, .serverUntrusted, .serverIdentity, .serverAnswer, .serverCall,
        .attestation, .svidExpired, .notAttested, .banned, .mustRebootstrap, .jwtUnavailable,
    ]
}
