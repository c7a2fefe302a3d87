// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// A handler's hands on its stream, from whatever executor the handler is on. On the connection's loop, where handlers
/// start and usually stay, nothing is allocated unless there is something to wait for.
struct ServerStreamIO: RawRequestReader, RawResponseWriter {
    let stream: ServerStream

    func read() async throws -> ByteBuffer? {
        let loop = stream.connection.loop
        if loop.inEventLoop {
            switch try stream.readNow() {
            case .message(let bytes): return bytes
            case .end: return nil
            case .wait: break
            }
        }
        let stream = self.stream
        let ticket = loop.inEventLoop ? stream.newTicket() : await onLoop { stream.newTicket() }
        return try await withTaskCancellationHandler {
            try Task.checkCancellation()
            return try await withCheckedThrowingContinuation { continuation in
                run { stream.park(reader: continuation, ticket: ticket) }
            }
        } onCancel: {
            loop.execute { stream.cancelWait(ticket) }
        }
    }

    func write(_ message: ByteBuffer) async throws {
        let stream = self.stream
        let loop = stream.connection.loop
        let ticket: Int
        if loop.inEventLoop {
            if try stream.send(message) {
                if stream.isTurnOver() { await Task.yield() }
                return
            }
            ticket = stream.newTicket()
        } else {
            let sent: Result<Int?, any Error> = await onLoop {
                Result { try stream.send(message) ? nil : stream.newTicket() }
            }
            guard let mustWait = try sent.get() else { return }
            ticket = mustWait
        }
        try await withTaskCancellationHandler {
            try Task.checkCancellation()
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                run { stream.park(writer: continuation, ticket: ticket) }
            }
        } onCancel: {
            loop.execute { stream.cancelWait(ticket) }
        }
    }

    private func run(_ body: @escaping @Sendable () -> Void) {
        let loop = stream.connection.loop
        if loop.inEventLoop { body() } else { loop.execute(body) }
    }

    private func onLoop<T: Sendable>(_ body: @escaping @Sendable () -> T) async -> T {
        await withCheckedContinuation { continuation in
            stream.connection.loop.execute { continuation.resume(returning: body()) }
        }
    }
}
