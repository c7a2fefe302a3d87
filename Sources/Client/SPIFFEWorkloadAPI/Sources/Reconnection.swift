// SPDX-License-Identifier: Apache-2.0

import SPIFFE

/// Decides when to try again after a stream has ended. Pure: the supervisor acts on it.
struct Reconnection {
    /// The wait after the first failure in a row, doubled with each further one.
    static let firstWait = Duration.seconds(1)
    static let longestWait = Duration.seconds(30)
    /// Fraction by which waits differ, so that the workloads of a node do not come back as one.
    static let jitter = 0.1

    enum Decision: Equatable {
        case retry(after: Duration)
        /// Asking again would bring the same answer.
        case giveUp
    }

    private var wait = firstWait

    /// - Parameters:
    ///   - error: Why the stream ended; `nil` when the server just ended it.
    ///   - lived: How long ago it was started, if it brought at least one update; else `nil`.
    ///   - chance: From -1 to 1.
    mutating func streamEnded(_ error: (any Error)?, lived: Duration?, chance: Double) -> Decision {
        if let failure = error as? WorkloadAPIFailure, failure.reason == .invalidArgument { return .giveUp }
        if let lived {
            // A stream that worked is worth an attempt at once, unless it ended as soon as it had begun.
            wait = Self.firstWait
            if lived >= Self.firstWait { return .retry(after: .zero) }
        }
        let now = min(wait, Self.longestWait)
        wait = min(wait * 2, Self.longestWait)
        let milliseconds = Double(now.components.seconds) * 1000 * (1 + Self.jitter * chance)
        return .retry(after: .milliseconds(Int64(milliseconds.rounded())))
    }
}
