// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// Starts handlers. The one file of the house that makes tasks without a parent: a call's parent is its connection.
///
/// A handler runs at once, on the loop that received the call; only one that really waits becomes a job of the loop's
/// executor.
enum CallRunner {
    /// Serves a call whose single request has arrived.
    static func start(_ stream: ServerStream, _ message: ByteBuffer) {
        switch stream.handler {
        case .immediate(let body):
            do {
                guard try admitNow(stream) else {
                    return spawn(stream) {
                        try await admit(stream)
                        _ = try stream.send(try body(message, stream.call))
                    }
                }
                stream.connection.handlerStarted()
                _ = try stream.send(try body(message, stream.call))
                stream.handlerReturned(nil)
            } catch {
                stream.connection.handlerStarted()
                stream.handlerReturned(status(of: error, stream))
            }
        case .unary(let body):
            run(stream) { _ = try stream.send(try await body(message, $0)) }
        case .serverStream(let body):
            run(stream) { try await body(message, ServerStreamIO(stream: stream), $0) }
        case .stream:
            break
        }
    }

    /// Admits the call and runs `body` as its handler.
    static func run(_ stream: ServerStream, _ body: @escaping @Sendable (RPCContext) async throws -> Void) {
        do {
            if try admitNow(stream) {
                spawn(stream) { try await body(stream.call) }
            } else {
                spawn(stream) {
                    // A stream that lasts is not to keep the room its admission took.
                    if stream.isFollower { try await inOwnTask { try await admit(stream) } } else { try await admit(stream) }
                    try await body(stream.call)
                }
            }
        } catch {
            stream.connection.handlerStarted()
            stream.handlerReturned(status(of: error, stream))
        }
    }

    /// Asks the interceptors without waiting.
    /// - Returns: `false` when the next one has to be waited for.
    private static func admitNow(_ stream: ServerStream) throws -> Bool {
        let interceptors = stream.connection.server.interceptors
        while stream.admissions < interceptors.count {
            let interceptor = interceptors[stream.admissions]
            stream.admissions += 1
            guard let call = try interceptor.admitNow(stream.call) else {
                stream.admissions -= 1
                return false
            }
            stream.call = call
        }
        return true
    }

    private static func admit(_ stream: ServerStream) async throws {
        let interceptors = stream.connection.server.interceptors
        while stream.admissions < interceptors.count {
            let interceptor = interceptors[stream.admissions]
            stream.admissions += 1
            stream.call = try await interceptor.admit(stream.call)
        }
    }

    private static func spawn(_ stream: ServerStream, _ body: @escaping @Sendable () async throws -> Void) {
        let connection = stream.connection
        connection.handlerStarted()
        let task = Task.immediate(executorPreference: connection.executor) {
            var outcome: RPCStatus?
            do {
                if let scope = stream.call.scope {
                    try await scope.run(body)
                } else {
                    try await body()
                }
            } catch {
                outcome = status(of: error, stream)
            }
            // After its last wait the task is back on the loop, its preferred executor.
            if connection.loop.inEventLoop {
                stream.handlerReturned(outcome)
            } else {
                let outcome = outcome
                connection.loop.execute { stream.handlerReturned(outcome) }
            }
        }
        if stream.machine.handler != .returned {
            stream.task = task
            stream.watchDeadline()
            // The stream may have been refused while the handler ran for the first time.
            if stream.machine.isClosed || stream.machine.response == .ended { task.cancel() }
        }
    }

    private static func status(of error: any Error, _ stream: ServerStream) -> RPCStatus {
        switch error {
        case let status as RPCStatus: status
        case is CancellationError: RPCStatus(.cancelled, "context canceled")
        default: stream.connection.server.errorMapper(error)
        }
    }
}
