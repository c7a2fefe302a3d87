// SPDX-License-Identifier: Apache-2.0

import Groundwork
package import RPC
import SPIFFE

/// How a call, or one item of a batch, failed: the method's own text and what lay beneath it.
///
/// The caller reads `<message>: <cause>`, except for `notFound`, where the cause is kept back; SPIRE's clients match on
/// these texts. The log line keeps the two apart.
package struct APIFailure: Error, Sendable, CustomStringConvertible {
    package let code: StatusCode
    /// The method's own text.
    package let message: String
    /// The text of what lay beneath, if anything did.
    package let cause: String?
    package var details: [RPCStatus.Detail] = []

    package init(_ code: StatusCode, _ message: String, cause: String? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    package init(_ code: StatusCode, _ message: String, _ error: any Error) {
        self.init(code, message, cause: Self.text(of: error))
    }

    /// What the caller is told.
    package var wireMessage: String {
        guard let cause, code != .notFound else { return message }
        return "\(message): \(cause)"
    }

    package var status: RPCStatus { RPCStatus(code, wireMessage, details: details) }
    package var description: String { wireMessage }

    /// The constant part of the log line.
    package var logMessage: String {
        if code == .invalidArgument { return "Invalid argument: \(message)" }
        return message.prefix(1).uppercased() + message.dropFirst()
    }

    package static func invalid(_ message: String, cause: String? = nil) -> APIFailure {
        APIFailure(.invalidArgument, message, cause: cause)
    }
    package static func invalid(_ message: String, _ error: any Error) -> APIFailure {
        APIFailure(.invalidArgument, message, error)
    }
    package static func notFound(_ message: String) -> APIFailure { APIFailure(.notFound, message) }
    package static func `internal`(_ message: String, _ error: any Error) -> APIFailure {
        APIFailure(.internal, message, error)
    }

    /// A failure of the datastore under the method's own text: its status is kept, `unknown` becomes `internal`.
    package static func datastore(_ message: String, _ error: any Error) -> APIFailure {
        let code = code(of: error)
        return APIFailure(code == .unknown ? .internal : code, message, error)
    }

    /// The status an error stands for.
    package static func code(of error: any Error) -> StatusCode {
        switch error {
        case let failure as APIFailure: failure.code
        case let status as RPCStatus: status.code
        case let error as SpireError: StatusCode(rawValue: error.code.wire.rawValue) ?? .unknown
        case is CancellationError: .cancelled
        default: .unknown
        }
    }

    /// The text an error contributes to a message: of a status only its message.
    package static func text(of error: any Error) -> String {
        switch error {
        case let failure as APIFailure: failure.wireMessage
        case let status as RPCStatus: status.message
        case let error as SpireError: error.description
        case let error as SPIFFEError: error.message
        default: "\(error)"
        }
    }

    /// Any error as the status a caller is sent.
    package static func status(of error: any Error) -> RPCStatus {
        switch error {
        case let failure as APIFailure: failure.status
        case let status as RPCStatus: status
        case is CancellationError: RPCStatus(.cancelled, "context canceled")
        default: RPCStatus(code(of: error), text(of: error))
        }
    }
}
