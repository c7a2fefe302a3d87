// SPDX-License-Identifier: Apache-2.0

import DequeModule
import NIOCore
import NIOHPACK
import NIOHTTP2

/// One call on a server's connection: its bytes both ways, and the handler that serves it.
///
/// Everything here runs on the connection's event loop; `@unchecked` stands for that. Handlers reach it through
/// `ServerStreamIO`, which hops when it has to.
final class ServerStream: @unchecked Sendable {
    let id: HTTP2StreamID
    let connection: ServerConnection
    let handler: ServiceTable.Handler
    let started: NIODeadline
    var call: RPCContext
    /// How many interceptors have been asked, and so are to hear the end.
    var admissions = 0

    private(set) var machine: ServerCallMachine
    private var deframer: MessageDeframer
    private var inbox: Deque<ByteBuffer> = []
    private var inboxBytes = 0
    private var accounted = 0
    private var window = InboundWindow.target
    private var reader: (ticket: Int, continuation: CheckedContinuation<ByteBuffer?, any Error>)?
    private var writers: [(ticket: Int, continuation: CheckedContinuation<Void, any Error>)] = []
    private var nextTicket = 0
    private var failure: RPCStatus?
    private var unsent = 0
    private var sentInTurn = 0
    private static let messagesPerTurn = 32
    var task: Task<Void, Never>?
    private var timer: Scheduled<Void>?

    init(
        id: HTTP2StreamID, connection: ServerConnection, handler: ServiceTable.Handler, call: RPCContext,
        started: NIODeadline
    ) {
        self.id = id
        self.connection = connection
        self.handler = handler
        self.call = call
        self.started = started
        deframer = MessageDeframer(limit: connection.server.configuration.maximumMessageSize)
        switch handler {
        case .immediate, .unary, .serverStream: machine = ServerCallMachine(isSingleRequest: true)
        case .stream: machine = ServerCallMachine(isSingleRequest: false)
        }
    }

    /// Whether it is a server-streaming call: such ones last.
    var isFollower: Bool { if case .serverStream = handler { true } else { false } }

    // MARK: What comes from the caller

    func begin(endStream: Bool) {
        if case .stream(let body) = handler {
            machine.startStreaming()
            CallRunner.run(self) { try await body(ServerStreamIO(stream: self), ServerStreamIO(stream: self), $0) }
        }
        if endStream { endRequest() }
    }

    func receive(_ bytes: ByteBuffer, endStream: Bool) {
        if machine.response != .ended, !machine.isClosed {
            deframer.append(bytes)
            do {
                while let message = try deframer.next() { accept(message) }
            } catch {
                refuse(error.status(limit: connection.server.configuration.maximumMessageSize))
            }
            account()
        }
        if endStream { endRequest() }
    }

    func endRequest() {
        if let wrong = machine.endRequest(betweenMessages: deframer.isBetweenMessages) {
            refuse(RPCStatus(.internal, wrong))
        } else if machine.requestEnded, inbox.isEmpty, let reader = take() {
            reader.resume(returning: nil)
        }
    }

    private func accept(_ message: ByteBuffer) {
        switch machine.message() {
        case .start: CallRunner.start(self, message)
        case .queue:
            if let reader = take() {
                reader.resume(returning: message)
            } else {
                inbox.append(message)
                inboxBytes += message.readableBytes + MessageDeframer.prefixLength
            }
        case .drop: break
        case .violation(let text): refuse(RPCStatus(.internal, text))
        }
    }

    /// Ends the call with an error of ours and stops its handler.
    func refuse(_ status: RPCStatus) {
        failure = status
        end(status)
        dropInbound()
        wake(throwing: status)
        task?.cancel()
    }

    // MARK: Flow control towards us

    /// Tells the connection what is held, and ends the call when that is too much.
    private func account() {
        let held = inboxBytes + (connection.assembly.isGranted(id) ? 0 : deframer.heldBytes)
        if held == accounted { return }
        let fits = connection.accountHeld(held - accounted)
        accounted = held
        if !fits {
            refuse(RPCStatus(.resourceExhausted, "grpc: too many bytes waiting on this connection"))
        }
    }

    func windowIs(_ size: Int) {
        window = size
        replenish()
    }

    func replenish() {
        guard !machine.requestEnded, !machine.isClosed, machine.response != .ended else { return }
        var missing = 0
        if deframer.missingBytes > 0, connection.assembly.isGranted(id) {
            missing = deframer.missingBytes
        } else if let length = deframer.currentLength, deframer.missingBytes > window,
            length + MessageDeframer.prefixLength > InboundWindow.target / 2
        {
            if connection.assembly.reserve(id, length) {
                account()
                missing = deframer.missingBytes
            }
        } else if connection.assembly.isGranted(id) {
            connection.releaseAssembly(id)
            account()
        }
        let waiting = inboxBytes + (connection.assembly.isGranted(id) ? 0 : deframer.heldBytes)
        let increment = InboundWindow.increment(window: window, waiting: waiting, missing: missing)
        if increment > 0 { connection.write(.windowUpdate(windowSizeIncrement: increment), id) }
    }

    private func dropInbound() {
        inbox.removeAll(keepingCapacity: false)
        inboxBytes = 0
        deframer = MessageDeframer(limit: connection.server.configuration.maximumMessageSize)
        _ = connection.accountHeld(-accounted)
        accounted = 0
        connection.releaseAssembly(id)
    }

    // MARK: What the handler reads

    /// The next message if there is one, or the end.
    enum Read { case message(ByteBuffer), end, wait }

    func readNow() throws -> Read {
        if let failure { throw failure }
        if let message = inbox.popFirst() {
            inboxBytes -= message.readableBytes + MessageDeframer.prefixLength
            account()
            replenish()
            return .message(message)
        }
        if machine.requestEnded { return .end }
        return .wait
    }

    func park(reader continuation: CheckedContinuation<ByteBuffer?, any Error>, ticket: Int) {
        do {
            switch try readNow() {
            case .message(let bytes): continuation.resume(returning: bytes)
            case .end: continuation.resume(returning: nil)
            case .wait where reader != nil:
                continuation.resume(throwing: RPCStatus(.internal, "two readers on one request stream"))
            case .wait: reader = (ticket, continuation)
            }
        } catch {
            continuation.resume(throwing: error)
        }
    }

    func newTicket() -> Int {
        nextTicket += 1
        return nextTicket
    }

    func cancelWait(_ ticket: Int) {
        if reader?.ticket == ticket { take()?.resume(throwing: CancellationError()) }
        if let index = writers.firstIndex(where: { $0.ticket == ticket }) {
            writers.remove(at: index).continuation.resume(throwing: CancellationError())
        }
    }

    private func take() -> CheckedContinuation<ByteBuffer?, any Error>? {
        defer { reader = nil }
        return reader?.continuation
    }

    private func wake(throwing error: any Error) {
        take()?.resume(throwing: error)
        let waiting = writers
        writers = []
        for writer in waiting { writer.continuation.resume(throwing: error) }
    }

    // MARK: What the handler writes

    /// Puts one message on its way. Returns whether the handler may go on at once.
    func send(_ message: ByteBuffer) throws -> Bool {
        guard let first = machine.beginResponse() else {
            throw failure ?? RPCStatus(.cancelled, "context canceled")
        }
        if first { connection.write(.headers(.init(headers: ResponseHeaders.initial)), id) }
        let bytes = framed(message)
        unsent += bytes.readableBytes
        connection.write(.data(.init(data: .byteBuffer(bytes))), id)
        return unsent <= connection.server.configuration.writeHighWatermark && connection.isWritable
    }

    /// Whether a handler that never has to wait has had its share, and the loop is to look after the others: among them the
    /// peer who may have left already.
    func isTurnOver() -> Bool {
        sentInTurn += 1
        guard sentInTurn >= Self.messagesPerTurn else { return false }
        sentInTurn = 0
        return true
    }

    func park(writer continuation: CheckedContinuation<Void, any Error>, ticket: Int) {
        if machine.isClosed || machine.response == .ended {
            continuation.resume(throwing: failure ?? RPCStatus(.cancelled, "context canceled"))
        } else if unsent <= connection.server.configuration.writeHighWatermark, connection.isWritable {
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
        guard !writers.isEmpty, unsent <= connection.server.configuration.writeHighWatermark / 2, connection.isWritable
        else { return }
        let waiting = writers
        writers = []
        for writer in waiting { writer.continuation.resume() }
    }

    // MARK: The end

    /// Sends the status, once. `nil` is OK.
    func end(_ status: RPCStatus?) {
        timer?.cancel()
        timer = nil
        switch machine.end() {
        case .nothing: return
        case .trailers:
            let trailers = status.map(ResponseHeaders.trailers) ?? ResponseHeaders.ok
            connection.write(.headers(.init(headers: trailers, endStream: true)), id)
        case .trailersOnly:
            if let status {
                let headers = ResponseHeaders.trailersOnly(status)
                connection.write(.headers(.init(headers: headers, endStream: true)), id)
            } else {
                connection.write(.headers(.init(headers: ResponseHeaders.initial)), id)
                connection.write(.headers(.init(headers: ResponseHeaders.ok, endStream: true)), id)
            }
        }
        if admissions > 0 {
            let elapsed = Duration.nanoseconds((NIODeadline.now() - started).nanoseconds)
            for interceptor in connection.server.interceptors.prefix(admissions).reversed() {
                interceptor.finished(call, status: status, elapsed: elapsed)
            }
            admissions = 0
        }
    }

    /// The handler returned or threw.
    func handlerReturned(_ status: RPCStatus?) {
        machine.handlerReturned()
        connection.handlerReturned()
        task = nil
        end(status)
        dropInbound()
    }

    /// The handler did not return at once: from here on the deadline needs a clock.
    func watchDeadline() {
        guard let deadline = call.deadline, timer == nil, !machine.isClosed, machine.response != .ended else { return }
        timer = connection.loop.scheduleTask(deadline: deadline) { self.deadlinePassed() }
    }

    private func deadlinePassed() {
        refuse(RPCStatus(.deadlineExceeded, "context deadline exceeded"))
    }

    /// The stream is closed on the wire, by either side or with its connection.
    func closed() {
        timer?.cancel()
        timer = nil
        let mustCancel = machine.close()
        dropInbound()
        if mustCancel {
            let status = failure ?? RPCStatus(.cancelled, "context canceled")
            failure = status
            wake(throwing: status)
            task?.cancel()
            if admissions > 0, machine.response != .ended {
                let elapsed = Duration.nanoseconds((NIODeadline.now() - started).nanoseconds)
                for interceptor in connection.server.interceptors.prefix(admissions).reversed() {
                    interceptor.finished(call, status: status, elapsed: elapsed)
                }
                admissions = 0
            }
        }
    }
}
