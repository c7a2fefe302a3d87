// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Synchronization

/// A streaming call that starts anew, unseen by its caller, when the server never looked at it: on a connection that was
/// just being closed, or refused for the number of calls. What the caller had sent is sent again, so it is kept until the
/// first answer comes or it grows too large; from then on the call is bound to its stream.
/// > Spec: gRPC A6, "Transparent Retries".
final class ReplayedCall: RawResponseReader, RawRequestWriter, Sendable {
    private struct State {
        var stream: ClientStreamIO
        /// Counts the streams this call has had.
        var generation = 1
        var sent: [ByteBuffer] = []
        var sentBytes = 0
        var isFinished = false
        var isBound = false
        var isAbandoned = false
        var isRestarting = false
        var waiting: [CheckedContinuation<Void, Never>] = []

        mutating func record(_ message: ByteBuffer) {
            sent.append(message)
            sentBytes += message.readableBytes
            if sentBytes > ReplayedCall.maximumBytes { bind() }
        }

        mutating func bind() {
            isBound = true
            sent = []
        }
    }

    private static let maximumStreams = 3
    private static let maximumBytes = 256 << 10

    private let state: Mutex<State>
    private let open: @Sendable () async throws -> ClientStreamIO

    /// - Parameters:
    ///   - request: What has been sent on `stream`, and that nothing follows it.
    ///   - open: Makes another stream, on which nothing has been sent.
    init(
        _ stream: ClientStreamIO, whole request: ByteBuffer? = nil,
        open: @escaping @Sendable () async throws -> ClientStreamIO
    ) {
        var state = State(stream: stream)
        if let request {
            state.sent = [request]
            state.isFinished = true
        }
        self.state = Mutex(state)
        self.open = open
    }

    func read() async throws -> ByteBuffer? {
        let message = try await again { try await $0.read() }
        bind()
        return message
    }

    func write(_ message: ByteBuffer) async throws {
        try await again(recording: { $0.record(message) }, { try await $0.write(message) })
    }

    func finish() async throws {
        try await again(recording: { $0.isFinished = true }, { try await $0.finish() })
    }

    func collect() async throws -> ByteBuffer { try await again { try await $0.collect() } }

    /// Ends the call if it is still open.
    func abandon() {
        let stream = state.withLock { state in
            state.isAbandoned = true
            return state.stream
        }
        stream.abandon()
    }

    /// Reads of the current stream, on a new one if need be.
    private func again<Result: Sendable>(_ body: (ClientStreamIO) async throws -> Result) async throws -> Result {
        while true {
            let (stream, generation) = state.withLock { ($0.stream, $0.generation) }
            do {
                return try await body(stream)
            } catch let refusal as ClientStream.Unprocessed {
                try await restart(after: generation, refusal.status)
            }
        }
    }

    /// Writes to the current stream. A restart repeats what was recorded, so the write itself is not repeated.
    private func again(
        recording record: (inout State) -> Void, _ body: (ClientStreamIO) async throws -> Void
    ) async throws {
        let (stream, generation) = state.withLock { state in
            if !state.isBound { record(&state) }
            return (state.stream, state.generation)
        }
        do {
            try await body(stream)
        } catch let refusal as ClientStream.Unprocessed {
            try await restart(after: generation, refusal.status)
        }
    }

    private func bind() { state.withLock { $0.bind() } }

    private func restart(after generation: Int, _ status: RPCStatus) async throws {
        enum Turn { case done, mine, wait }
        while true {
            let turn: Turn = try state.withLock { state in
                if state.generation > generation { return .done }
                if state.isRestarting { return .wait }
                guard !state.isBound, !state.isAbandoned, generation < Self.maximumStreams else { throw status }
                state.isRestarting = true
                return .mine
            }
            switch turn {
            case .done: return
            case .mine: return try await replay()
            case .wait:
                await withCheckedContinuation { continuation in
                    let isOver = state.withLock { state in
                        if state.isRestarting { state.waiting.append(continuation) }
                        return !state.isRestarting
                    }
                    if isOver { continuation.resume() }
                }
            }
        }
    }

    private func replay() async throws {
        defer {
            let waiting = state.withLock { state in
                state.isRestarting = false
                defer { state.waiting = [] }
                return state.waiting
            }
            for continuation in waiting { continuation.resume() }
        }
        let stream = try await open()
        var next = 0
        var hasFinished = false
        do {
            while true {
                let (message, finish, isAbandoned) = state.withLock { state -> (ByteBuffer?, Bool, Bool) in
                    if state.isAbandoned { return (nil, false, true) }
                    if next < state.sent.count { return (state.sent[next], false, false) }
                    if state.isFinished, !hasFinished { return (nil, true, false) }
                    state.stream = stream
                    state.generation += 1
                    return (nil, false, false)
                }
                if isAbandoned { throw RPCStatus(.cancelled, "context canceled") }
                if let message {
                    try await stream.write(message)
                    next += 1
                } else if finish {
                    try await stream.finish()
                    hasFinished = true
                } else {
                    return
                }
            }
        } catch is ClientStream.Unprocessed {
            // Refused again: whoever uses the new stream next finds out and decides.
            state.withLock { state in
                state.stream = stream
                state.generation += 1
            }
        } catch {
            stream.abandon()
            throw error
        }
    }
}
