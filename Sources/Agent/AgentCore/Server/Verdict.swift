// SPDX-License-Identifier: Apache-2.0

import APIProtos
import Groundwork
import RPC
import SwiftProtobuf

/// What a failed call means for the agent's life.
package enum Verdict: Sendable, Equatable {
    /// Nothing: try again later.
    case goOn
    /// The server no longer knows this agent under its present identity.
    case reattest
    case banned

    /// - Parameter hasExpired: Whether the agent's SVID has ended by its own clock. Only then is a server believed that
    ///   says so: one with a wrong clock must not make agents throw away identities they cannot get again.
    package init(_ error: any Error, hasExpired: Bool = true) {
        guard let status = error as? RPCStatus ?? (error as? SpireError)?.cause as? RPCStatus,
            status.code == .permissionDenied
        else {
            self = .goOn
            return
        }
        for detail in status.details where detail.typeURL.hasSuffix("/spire.api.types.PermissionDeniedDetails") {
            guard let details = try? Spire_Api_Types_PermissionDeniedDetails(serializedBytes: detail.value) else {
                continue
            }
            switch details.reason {
            case .agentExpired where !hasExpired: continue
            case .agentExpired, .agentNotAttested, .agentNotActive, .agentMustReattest:
                self = .reattest
                return
            case .agentBanned:
                self = .banned
                return
            default: continue
            }
        }
        self = .goOn
    }
}
