// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOPosix
import RPC

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Failures to reach an address, in Go's words, which scripts and people look for in SPIRE's output.
package enum DialError {
    /// `dial <network> <address>: <reason>`
    static func failure(_ network: String, _ address: String, _ error: any Error) -> ConnectFailure {
        ConnectFailure(.dialing, "dial \(network) \(address): \(reason(error))")
    }

    /// `connect: connection refused` and the like.
    package static func reason(_ error: any Error) -> String {
        switch error {
        case let error as IOError:
            return "connect: " + String(cString: strerror(error.errnoCode)).lowercased()
        case let error as NIOConnectionError:
            if let first = error.connectionErrors.first { return reason(first.error) }
            return "lookup \(error.host): no such host"
        case ChannelError.connectTimeout:
            return "i/o timeout"
        default:
            return "\(error)"
        }
    }
}
