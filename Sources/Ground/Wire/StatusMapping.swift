// SPDX-License-Identifier: Apache-2.0

package import Groundwork
package import RPC

extension RPCStatus {
    /// What a caller sees of a failure: a status as it is, a `SpireError` as its code's wire status and its message,
    /// anything else as `Unknown` with its text, as grpc-go does.
    package init(mapping error: any Error) {
        switch error {
        case let status as RPCStatus:
            self = status
        case let error as SpireError:
            self.init(StatusCode(error.code.wire), error.description)
        case is CancellationError:
            self.init(.cancelled, "context canceled")
        default:
            self.init(.unknown, "\(error)")
        }
    }
}

extension StatusCode {
    /// The same code by number.
    package init(_ wire: WireStatus) { self = StatusCode(rawValue: wire.rawValue) ?? .unknown }
}
