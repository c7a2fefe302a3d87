// SPDX-License-Identifier: Apache-2.0

/// Runs callers for a while and sums up what they did.
struct Meter {
    private static let clock = ContinuousClock()

    /// Runs `callers` copies of `body` until `seconds` have passed; each call of the closure `body` returns is one call.
    static func run(
        _ options: LoadOptions, unit: String = "calls", each perCall: Int = 1,
        _ body: @escaping @Sendable (Int) async throws -> (@Sendable () async throws -> Void)
    ) async throws {
        let clock = Self.clock
        let times = try await withThrowingTaskGroup(of: [Duration].self) { group in
            for caller in 0..<options.callers {
                group.addTask {
                    let call = try await body(caller)
                    try await call()
                    var times: [Duration] = []
                    let end = clock.now.advanced(by: .seconds(options.seconds))
                    while clock.now < end {
                        let start = clock.now
                        try await call()
                        times.append(clock.now - start)
                    }
                    return times
                }
            }
            var all: [Duration] = []
            for try await some in group { all += some }
            return all
        }
        report(times, seconds: options.seconds, unit: unit, perCall: perCall)
    }

    /// Measures one piece of work.
    static func time<Result>(_ body: () async throws -> Result) async rethrows -> (Result, Double) {
        let start = clock.now
        let result = try await body()
        return (result, seconds(clock.now - start))
    }

    static func report(_ times: [Duration], seconds: Double, unit: String, perCall: Int = 1) {
        let sorted = times.sorted()
        func percentile(_ p: Double) -> Double {
            guard !sorted.isEmpty else { return 0 }
            return Self.seconds(sorted[min(sorted.count - 1, Int(Double(sorted.count) * p))]) * 1000
        }
        let rate = Double(times.count * perCall) / seconds
        print(
            """
            {"\(unit)": \(times.count * perCall), "seconds": \(seconds), "per_second": \(rate), \
            "p50_ms": \(percentile(0.5)), "p99_ms": \(percentile(0.99))}
            """)
    }

    static func seconds(_ duration: Duration) -> Double {
        let (whole, fraction) = duration.components
        return Double(whole) + Double(fraction) * 1e-18
    }
}
