// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
package import Groundwork
import Synchronization

/// On which side of a call a span is.
package enum SpanKind: Sendable, Hashable { case `internal`, server, client }

/// The value of a span's attribute.
package enum SpanValue: Sendable, Hashable {
    case string(String)
    case integer(Int64)
}

/// A span that has ended.
package struct FinishedSpan: Sendable {
    package let name: String
    package let kind: SpanKind
    package let context: SpanContext
    /// 0 for the first span of a trace.
    package let parentID: UInt64
    /// Unix nanoseconds.
    package let start: UInt64
    package let end: UInt64
    package let attributes: [(String, SpanValue)]
    /// Why it failed; `nil` when it did not.
    package let failure: String?
}

/// A span that is going on. Ending it hands it to the tracer's queue; a span that is dropped was never there.
package struct Span: Sendable {
    package let context: SpanContext
    let tracer: Tracer
    let name: String
    let kind: SpanKind
    let parentID: UInt64
    let wallStart: Double
    let start: Duration
    private var attributes: [(String, SpanValue)] = []
    private static let maximumAttributes = 16

    init(
        _ tracer: Tracer, _ name: String, _ kind: SpanKind, _ context: SpanContext, parentID: UInt64, wallStart: Double,
        start: Duration
    ) {
        self.tracer = tracer
        self.name = name
        self.kind = kind
        self.context = context
        self.parentID = parentID
        self.wallStart = wallStart
        self.start = start
    }

    package mutating func set(_ key: String, _ value: SpanValue) {
        if attributes.count < Self.maximumAttributes { attributes.append((key, value)) }
    }

    package func end(_ error: (any Error)? = nil) { end(failure: error.map { String("\($0)".prefix(512)) }) }

    package func end(failure: String?) {
        let started = UInt64(max(0, wallStart * 1_000_000_000))
        let elapsed = max(0, (tracer.uptime - start).inSeconds)
        tracer.add(
            FinishedSpan(
                name: name, kind: kind, context: context, parentID: parentID, start: started,
                end: started + UInt64(elapsed * 1_000_000_000), attributes: attributes, failure: failure))
    }
}

/// Makes spans and keeps finished ones until somebody takes them away. Never waits: what does not fit is dropped.
package final class Tracer: Sendable {
    /// The span the running task works for.
    @TaskLocal package static var current: SpanContext?

    /// Makes no spans.
    package static let off = Tracer()

    private struct Queue {
        var spans: [FinishedSpan] = []
        var dropped = 0
    }

    /// Most finished spans waiting.
    package static let capacity = 2048

    package let isOn: Bool
    private let ratio: Double
    private let time: (any TimeSource)?
    private let random: (any RandomSource)?
    private let queue = Mutex(Queue())

    private init() {
        isOn = false
        ratio = 0
        time = nil
        random = nil
    }

    /// - Parameter ratio: Which part of the traces that begin here is kept, 0 to 1. Traces that began elsewhere are
    ///   kept if whoever began them keeps them.
    package init(ratio: Double, time: any TimeSource, random: any RandomSource) {
        isOn = true
        self.ratio = ratio
        self.time = time
        self.random = random
    }

    var uptime: Duration { time?.uptime ?? .zero }

    /// Begins a span.
    ///
    /// - Parameters:
    ///   - parent: The running task's span unless given.
    ///   - beginsTrace: Whether there is a span without a parent, too.
    /// - Returns: `nil` when nobody would look at it.
    package func begin(
        _ name: @autoclosure () -> String, kind: SpanKind, parent: SpanContext? = Tracer.current,
        beginsTrace: Bool = false
    ) -> Span? {
        guard isOn, let time, let random else { return nil }
        let high: UInt64
        let low: UInt64
        if let parent {
            guard parent.isSampled else { return nil }
            (high, low) = (parent.traceHigh, parent.traceLow)
        } else {
            guard beginsTrace, ratio >= 1 || random.unit() < ratio else { return nil }
            (high, low) = (random.next() | 1, random.next())
        }
        let context = SpanContext(traceHigh: high, traceLow: low, spanID: random.next() | 1, isSampled: true)
        return Span(
            self, name(), kind, context, parentID: parent?.spanID ?? 0, wallStart: time.now.timeIntervalSince1970,
            start: time.uptime)
    }

    /// Runs `body` inside a span.
    package func trace<Result>(
        _ name: @autoclosure () -> String, kind: SpanKind = .internal, beginsTrace: Bool = false,
        _ body: () async throws -> Result
    ) async throws -> Result {
        guard let span = begin(name(), kind: kind, beginsTrace: beginsTrace) else { return try await body() }
        do {
            let result = try await Tracer.$current.withValue(span.context) { try await body() }
            span.end()
            return result
        } catch {
            span.end(error)
            throw error
        }
    }

    func add(_ span: FinishedSpan) {
        queue.withLock { queue in
            if queue.spans.count < Self.capacity { queue.spans.append(span) } else { queue.dropped += 1 }
        }
    }

    /// Takes finished spans away, oldest first.
    /// - Returns: the spans, and how many were dropped since the last time.
    package func take(atMost count: Int) -> (spans: [FinishedSpan], dropped: Int) {
        queue.withLock { queue in
            let taken = Array(queue.spans.prefix(count))
            queue.spans.removeFirst(taken.count)
            defer { queue.dropped = 0 }
            return (taken, queue.dropped)
        }
    }
}
