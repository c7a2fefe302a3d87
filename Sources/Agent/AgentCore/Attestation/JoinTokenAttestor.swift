// SPDX-License-Identifier: Apache-2.0

import Groundwork
import PluginAPI

/// The agent's half of join-token attestation: whoever knows the token is the node.
package struct JoinTokenAttestor: AgentNodeAttestor {
    package let name = "join_token"
    private let token: Secret<String>?

    /// - Parameter token: `nil` or empty when none was given: then it can only say so.
    package init(token: String?) { self.token = token.flatMap { $0.isEmpty ? nil : Secret($0) } }

    package func payload() async throws -> [UInt8] {
        guard let token else {
            throw SpireError(.invalid, "nodeattestor(join_token): join token was not provided")
        }
        return token.reveal { Array($0.utf8) }
    }

    package func respond(to challenge: [UInt8]) async throws -> [UInt8] {
        throw SpireError(.invalid, "server issued unexpected challenge")
    }
}
