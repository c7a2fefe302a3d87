// SPDX-License-Identifier: Apache-2.0

import DequeModule
import NIOCore
import NIOHPACK
import NIOHTTP2

/// One call on a client's connection.
///
/// Everything here runs on the connection's event loop; `@unchecked` stands for that. Callers reach it through
/// `ClientStreamIO`.
final class ClientStream: @unchecked Sendable {
    /// How the call ended.
    enum Outcome {
        case ok
        case failed(RPCStatus)
        /// The server never looked at it: it may be tried again elsewhere.
        case unprocessed(RPCStatus)

        var error: (any Error)? {
            switch self {
            case .ok: nil
            case .failed(let status): status
            case .unprocessed(let status): Unprocessed(status: status)
            }
        }
    }

    /// Thrown inside the client for a call that may be tried again.
    struct Unprocessed: Error {
        let status: RPCStatus
    }

    let id: HTTP2StreamID
    let connection: ClientConnection
    private(set) var outcome: Outcome?
    /// Whether its headers are on their way: until then no server can have seen the call.
    var hasLeft = false
    private var deframer: MessageDeframer
    private var inbox: Deque<ByteBuffer> = []
    private var inboxBytes = 0
    private var window = ClientConnection.streamWindow
    private var isFinished = false
    private var hasHeaders = false
    private var unsent = 0
    private var reader: (ticket: Int, continuation: CheckedContinuation<ByteBuffer?, any Error>)?
    private var collector: CheckedContinuation<ByteBuffer, any Error>?
    private var writers: [(ticket: Int, continuation: CheckedContinuation<Void, any Error>)] = []
    private var nextTicket = 0
    private var timer: Scheduled<Void>?
    private var leaving: (@Sendable () -> Void)?

    init(
        id: HTTP2StreamID, connection: ClientConnection, deadline: NIODeadline?,
        leaving: (@Sendable () -> Void)? = nil
    ) {
        self.id = id
        self.connection = connection
        self.leaving = leaving
        deframer = MessageDeframer(limit: connection.configuration.maximumMessageSize)
        if let deadline {
            timer = connection.loop.scheduleTask(deadline: deadline) {
                self.abandon(RPCStatus(.deadlineExceeded, "context deadline exceeded"))
            }
        }
    }

    // MARK: What comes from the server

    func receive(headers: HPACKHeaders, endStream: Bool) {
        guard outcome == nil else { return }
        if !hasHeaders {
            if headers.first(name: ":status")?.utf8.first == UInt8(ascii: "1") { return }
            hasHeaders = true
            if let problem = ResponseHead.problem(headers), headers.first(name: "grpc-status") == nil {
                return endStream ? ended(.failed(problem)) : abandon(problem)
            }
            guard endStream else { return }
        }
        let status = ResponseHead.outcome(headers)
        if status == nil, !deframer.isBetweenMessages {
            return ended(.failed(RPCStatus(.internal, "unexpected EOF")))
        }
        ended(status.map(Outcome.failed) ?? .ok)
    }

    func receive(_ bytes: ByteBuffer, endStream: Bool) {
        guard outcome == nil else { return }
        deframer.append(bytes)
        do {
            while let message = try deframer.next() {
                if let reader = takeReader() {
                    reader.resume(returning: message)
                } else {
                    inbox.append(message)
                    inboxBytes += message.readableBytes + MessageDeframer.prefixLength
                }
            }
        } catch {
            return abandon(error.status(limit: connection.configuration.maximumMessageSize))
        }
        if endStream {
            ended(.failed(RPCStatus(.internal, "server closed the stream without sending trailers")))
        } else if collector != nil, inbox.count > 1 {
            abandon(
                RPCStatus(
                    .internal,
                    "cardinality violation: expected <EOF> for non server-streaming RPCs, but received another message"))
        }
    }

    /// The stream is closed on the wire. `reset` is `nil` when both sides had finished.
    func closed(_ reset: HTTP2ErrorCode?, isUnprocessed: Bool) {
        guard outcome == nil else { return }
        guard let reset else {
            return ended(.failed(RPCStatus(.internal, "server closed the stream without sending trailers")))
        }
        let status = ResponseHead.outcome(reset: reset)
        ended(isUnprocessed || reset == .refusedStream ? .unprocessed(status) : .failed(status))
    }

    func windowIs(_ size: Int) {
        window = size
        replenish()
    }

    private func replenish() {
        guard outcome == nil else { return }
        let missing = deframer.missingBytes
        let room = ClientConnection.streamWindow - inboxBytes - deframer.heldBytes
        let increment: Int
        if missing > window {
            increment = missing - window
        } else if window <= ClientConnection.streamWindow / 2, room - window >= ClientConnection.streamWindow / 4 {
            increment = room - window
        } else {
            return
        }
        connection.write(.windowUpdate(windowSizeIncrement: increment), id)
    }

    // MARK: The end

    /// The server asked the connection to end.
    func mustLeave() {
        leaving?()
        leaving = nil
    }

    private func ended(_ how: Outcome) {
        guard outcome == nil else { return }
        outcome = how
        leaving = nil
        timer?.cancel()
        timer = nil
        connection.remove(self)
        if let collector {
            self.collector = nil
            resolve(collector)
        }
        // Messages that came before the end are still to be read.
        if let reader = takeReader() {
            if let error = how.error { reader.resume(throwing: error) } else { reader.resume(returning: nil) }
        }
        let waiting = writers
        writers = []
        for writer in waiting { writer.continuation.resume(throwing: how.error ?? Self.over) }
    }

    private static let over = RPCStatus(.internal, "the call is over")

    /// Ends the call from this side and tells the server that nobody listens any more.
    func abandon(_ status: RPCStatus) {
        guard outcome == nil else { return }
        ended(.failed(status))
        connection.reset(id)
    }

    func fail(_ how: Outcome) { ended(how) }

    // MARK: What the caller reads

    enum Read { case message(ByteBuffer), end, wait }

    func readNow() throws -> Read {
        if let message = inbox.popFirst() {
            inboxBytes -= message.readableBytes + MessageDeframer.prefixLength
            replenish()
            return .message(message)
        }
        guard let outcome else { return .wait }
        if let error = outcome.error { throw error }
        return .end
    }

    func park(reader continuation: CheckedContinuation<ByteBuffer?, any Error>, ticket: Int) {
        do {
            switch try readNow() {
            case .message(let bytes): continuation.resume(returning: bytes)
            case .end: continuation.resume(returning: nil)
            case .wait where reader != nil:
                continuation.resume(throwing: RPCStatus(.internal, "two readers on one response stream"))
            case .wait: reader = (ticket, continuation)
            }
        } catch {
            continuation.resume(throwing: error)
        }
    }

    /// Waits for the one response and the OK after it.
    func collect(_ continuation: CheckedContinuation<ByteBuffer, any Error>) {
        if outcome != nil { resolve(continuation) } else { collector = continuation }
    }

    private func resolve(_ continuation: CheckedContinuation<ByteBuffer, any Error>) {
        if let error = outcome?.error {
            continuation.resume(throwing: error)
        } else if inbox.count == 1, let message = inbox.popFirst() {
            continuation.resume(returning: message)
        } else {
            continuation.resume(
                throwing: RPCStatus(
                    .internal, "cardinality violation: received no response message from non-server-streaming RPC"))
        }
    }

    func newTicket() -> Int {
        nextTicket += 1
        return nextTicket
    }

    func cancelWait(_ ticket: Int) {
        let status = RPCStatus(.cancelled, "context canceled")
        if reader?.ticket == ticket { takeReader()?.resume(throwing: status) }
        if let index = writers.firstIndex(where: { $0.ticket == ticket }) {
            writers.remove(at: index).continuation.resume(throwing: status)
        }
    }

    private func takeReader() -> CheckedContinuation<ByteBuffer?, any Error>? {
        defer { reader = nil }
        return reader?.continuation
    }

    // MARK: What the caller writes

    /// Puts one message on its way. Returns whether the caller may go on at once.
    func send(_ message: ByteBuffer, last: Bool = false) throws -> Bool {
        if let outcome { throw outcome.error ?? Self.over }
        guard !isFinished else { throw RPCStatus(.internal, "a message after the end of the request stream") }
        isFinished = last
        let bytes = framed(message)
        unsent += bytes.readableBytes
        connection.write(.data(.init(data: .byteBuffer(bytes), endStream: last)), id)
        return unsent <= connection.configuration.writeHighWatermark && connection.isWritable
    }

    func finish() {
        guard outcome == nil, !isFinished else { return }
        isFinished = true
        connection.write(.data(.init(data: .byteBuffer(ByteBuffer()), endStream: true)), id)
    }

    func park(writer continuation: CheckedContinuation<Void, any Error>, ticket: Int) {
        if let outcome {
            continuation.resume(throwing: outcome.error ?? Self.over)
        } else if unsent <= connection.configuration.writeHighWatermark, connection.isWritable {
            continuation.resume()
        } else {
            writers.append((ticket, continuation))
        }
    }

    func wrote(_ count: Int) {
        unsent -= count
        wakeWriters()
    }

    func wakeWriters() {
        guard !writers.isEmpty, unsent <= connection.configuration.writeHighWatermark / 2, connection.isWritable
        else { return }
        let waiting = writers
        writers = []
        for writer in waiting { writer.continuation.resume() }
    }
}
