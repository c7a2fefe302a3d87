// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// A caller's hands on its call, from whatever executor the caller is on.
struct ClientStreamIO: RawResponseReader, RawRequestWriter {
    let stream: ClientStream

    func read() async throws -> ByteBuffer? {
        let stream = self.stream
        let ticket = await onLoop { stream.newTicket() }
        return try await withTaskCancellationHandler {
            if Task.isCancelled { throw RPCStatus(.cancelled, "context canceled") }
            return try await withCheckedThrowingContinuation { continuation in
                run { stream.park(reader: continuation, ticket: ticket) }
            }
        } onCancel: {
            stream.connection.loop.execute { stream.cancelWait(ticket) }
        }
    }

    func write(_ message: ByteBuffer) async throws {
        let stream = self.stream
        let sent: Result<Int?, any Error> = await onLoop {
            Result { try stream.send(message) ? nil : stream.newTicket() }
        }
        guard let ticket = try sent.get() else { return }
        try await withTaskCancellationHandler {
            if Task.isCancelled { throw RPCStatus(.cancelled, "context canceled") }
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                run { stream.park(writer: continuation, ticket: ticket) }
            }
        } onCancel: {
            stream.connection.loop.execute { stream.cancelWait(ticket) }
        }
    }

    func finish() async throws {
        let stream = self.stream
        run { stream.finish() }
    }

    /// The one response of a call that has one, once the call is over.
    func collect() async throws -> ByteBuffer {
        let stream = self.stream
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                run { stream.collect(continuation) }
            }
        } onCancel: {
            abandon()
        }
    }

    /// Ends the call if it is still open.
    func abandon() {
        let stream = self.stream
        run { stream.abandon(RPCStatus(.cancelled, "context canceled")) }
    }

    private func run(_ body: @escaping @Sendable () -> Void) {
        let loop = stream.connection.loop
        if loop.inEventLoop { body() } else { loop.execute(body) }
    }

    private func onLoop<T: Sendable>(_ body: @escaping @Sendable () -> T) async -> T {
        if stream.connection.loop.inEventLoop { return body() }
        return await withCheckedContinuation { continuation in
            stream.connection.loop.execute { continuation.resume(returning: body()) }
        }
    }
}
