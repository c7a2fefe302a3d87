// SPDX-License-Identifier: Apache-2.0

import Groundwork
import Logging
import ServiceLifecycle

/// A part whose failure does not end the server: it is logged, and the part is tried again.
struct Helpful<Part: Service>: Service {
    let part: Part
    let name: String
    let time: any TimeSource
    let logger: Logger

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                do {
                    return try await part.run()
                } catch is CancellationError {
                    return
                } catch {
                    logger.error(
                        "Background task failed; it will be retried",
                        metadata: ["task": "\(name)", LogKey.error: "\(error)"])
                }
                try? await time.sleep(for: .seconds(5))
            }
        }
    }
}

/// A loop that ends by cancellation, as a part of the server.
struct Looping: Service {
    let loop: @Sendable () async throws -> Void

    func run() async throws {
        do {
            try await cancelWhenGracefulShutdown { try await loop() }
        } catch is CancellationError {
            return
        }
    }
}
