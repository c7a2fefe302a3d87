// SPDX-License-Identifier: Apache-2.0

/// A gRPC status code.
/// > Spec: gRPC "Status codes and their use in gRPC".
package enum StatusCode: Int, Sendable, Hashable, CaseIterable {
    case ok = 0
    case cancelled = 1
    case unknown = 2
    case invalidArgument = 3
    case deadlineExceeded = 4
    case notFound = 5
    case alreadyExists = 6
    case permissionDenied = 7
    case resourceExhausted = 8
    case failedPrecondition = 9
    case aborted = 10
    case outOfRange = 11
    case unimplemented = 12
    case `internal` = 13
    case unavailable = 14
    case dataLoss = 15
    case unauthenticated = 16

    /// The name as Go's gRPC prints it (`NotFound`), which SPIRE's command line and logs show.
    package var goName: String {
        switch self {
        case .ok: "OK"
        case .cancelled: "Canceled"
        case .unknown: "Unknown"
        case .invalidArgument: "InvalidArgument"
        case .deadlineExceeded: "DeadlineExceeded"
        case .notFound: "NotFound"
        case .alreadyExists: "AlreadyExists"
        case .permissionDenied: "PermissionDenied"
        case .resourceExhausted: "ResourceExhausted"
        case .failedPrecondition: "FailedPrecondition"
        case .aborted: "Aborted"
        case .outOfRange: "OutOfRange"
        case .unimplemented: "Unimplemented"
        case .internal: "Internal"
        case .unavailable: "Unavailable"
        case .dataLoss: "DataLoss"
        case .unauthenticated: "Unauthenticated"
        }
    }
}

/// How a call ended when it did not end well: thrown by handlers, and thrown to callers.
package struct RPCStatus: Error, Sendable, Hashable, CustomStringConvertible {
    package var code: StatusCode
    package var message: String
    package var details: [Detail]

    /// One `google.protobuf.Any` of a rich status.
    package struct Detail: Sendable, Hashable {
        /// `type.googleapis.com/<full message name>`
        package var typeURL: String
        /// The serialized message.
        package var value: [UInt8]
        package init(typeURL: String, value: [UInt8]) {
            self.typeURL = typeURL
            self.value = value
        }
    }

    package init(_ code: StatusCode, _ message: String, details: [Detail] = []) {
        self.code = code
        self.message = message
        self.details = details
    }

    /// As Go's gRPC prints it: `rpc error: code = NotFound desc = …`.
    package var description: String { "rpc error: code = \(code.goName) desc = \(message)" }
}
