// SPDX-License-Identifier: Apache-2.0

/// Where one call stands, apart from its bytes: what came, what was sent, and whether its handler runs.
struct ServerCallMachine {
    enum Response { case silent, begun, ended }
    enum Handler { case waiting, running, returned }

    /// Whether the handler takes exactly one request message.
    let isSingleRequest: Bool
    private(set) var requestEnded = false
    private(set) var response = Response.silent
    private(set) var handler = Handler.waiting
    private(set) var isClosed = false

    init(isSingleRequest: Bool) { self.isSingleRequest = isSingleRequest }

    enum Arrival: Equatable {
        /// Hand the message to a new handler.
        case start
        /// Keep it for the running handler.
        case queue
        /// Nobody wants it any more.
        case drop
        /// The caller broke the method's shape.
        case violation(String)
    }

    /// A complete message came.
    mutating func message() -> Arrival {
        if isClosed || response == .ended { return .drop }
        guard isSingleRequest else { return .queue }
        switch handler {
        case .waiting:
            handler = .running
            return .start
        case .running, .returned:
            return .violation("cardinality violation: received multiple request messages for non-client-streaming RPC")
        }
    }

    /// A streaming handler starts with the headers, before any message.
    mutating func startStreaming() {
        handler = .running
    }

    /// The caller half-closed. Returns what is wrong with that, if anything.
    mutating func endRequest(betweenMessages: Bool) -> String? {
        requestEnded = true
        if isClosed || response == .ended { return nil }
        guard betweenMessages else { return "unexpected EOF" }
        if isSingleRequest, handler == .waiting {
            return "cardinality violation: received no request message from non-client-streaming RPC"
        }
        return nil
    }

    /// About to send a message. Returns `nil` when that is not possible any more, else whether headers go first.
    mutating func beginResponse() -> Bool? {
        guard !isClosed else { return nil }
        switch response {
        case .silent:
            response = .begun
            return true
        case .begun: return false
        case .ended: return nil
        }
    }

    enum Ending { case nothing, trailersOnly, trailers }

    /// The call's status is known, from the handler or because the call is refused.
    mutating func end() -> Ending {
        guard !isClosed else { return .nothing }
        switch response {
        case .silent:
            response = .ended
            return .trailersOnly
        case .begun:
            response = .ended
            return .trailers
        case .ended: return .nothing
        }
    }

    /// The handler is done. Returns whether it had been running.
    mutating func handlerReturned() { handler = .returned }

    /// The stream is gone. Returns whether a handler is to be cancelled.
    mutating func close() -> Bool {
        guard !isClosed else { return false }
        isClosed = true
        return handler == .running
    }
}
