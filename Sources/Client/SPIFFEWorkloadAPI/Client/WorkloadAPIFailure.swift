// SPDX-License-Identifier: Apache-2.0

import RPC

/// The Workload API said no, or could not be reached.
public struct WorkloadAPIFailure: Error, Sendable, Hashable, CustomStringConvertible {
    /// The kind of answer.
    public enum Reason: Sendable, Hashable {
        /// This process has no identity, or not the one it asked for. May change when the operator registers it.
        case permissionDenied
        /// The request itself is wrong; asking again will not help.
        case invalidArgument
        /// Nobody listens, or not yet ready.
        case unavailable
        /// The server does not offer this method.
        case unimplemented
        /// The caller gave up, or the client was closed.
        case cancelled
        /// The call took longer than allowed.
        case deadlineExceeded
        /// Any other gRPC status, by its number.
        case other(Int)
    }

    public let reason: Reason
    /// What the server said.
    public let message: String
    public let description: String

    init(_ status: RPCStatus) {
        reason =
            switch status.code {
            case .permissionDenied: .permissionDenied
            case .invalidArgument: .invalidArgument
            case .unavailable: .unavailable
            case .unimplemented: .unimplemented
            case .cancelled: .cancelled
            case .deadlineExceeded: .deadlineExceeded
            default: .other(status.code.rawValue)
            }
        message = status.message
        description = status.description
    }
}
