// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials

/// Where sources take time and chance from. Tests bring their own.
struct SourceTiming: Sendable {
    let now: @Sendable () -> Date
    /// A reading that never goes backwards.
    let uptime: @Sendable () -> Duration
    let sleep: @Sendable (Duration) async throws -> Void
    /// A number from -1 to 1.
    let chance: @Sendable () -> Double

    static let system: SourceTiming = {
        let start = ContinuousClock.now
        return SourceTiming(
            now: { Date() },
            uptime: { ContinuousClock.now - start },
            sleep: { try await Task.sleep(for: $0, clock: .continuous) },
            chance: { Double.random(in: -1...1) })
    }()
}
