// SPDX-License-Identifier: Apache-2.0

import Groundwork
import TestKit
import Testing

@testable import Telemetry

@Suite("Tracer")
struct TracerTests {
    private func tracer(_ ratio: Double = 1) -> Tracer {
        Tracer(ratio: ratio, time: ManualClock(), random: SeededRandom())
    }

    @Test("headers of other programs are read by the letter of the standard", arguments: [
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", true),
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00", true),
        ("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-the-future-brings", true),
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x", false),
        ("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", false),
        ("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", false),
        ("00-00000000000000000000000000000000-00f067aa0ba902b7-01", false),
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", false),
        ("00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01", false), ("", false), ("00", false),
    ])
    func headers(text: String, isValid: Bool) {
        let context = SpanContext(traceparent: text)
        #expect((context != nil) == isValid)
        if isValid, text.hasPrefix("00") { #expect(context?.traceparent == text) }
    }

    @Test("a span inside another belongs to its trace, and knows its parent")
    func nesting() async throws {
        let tracer = tracer()
        try await tracer.trace("outer", beginsTrace: true) {
            try await tracer.trace("inner") {}
        }
        let spans = tracer.take(atMost: 10).spans
        #expect(spans.map(\.name) == ["inner", "outer"])
        #expect(spans[0].context.traceBytes == spans[1].context.traceBytes)
        #expect(spans[0].parentID == spans[1].context.spanID)
        #expect(spans[1].parentID == 0)
    }

    @Test("what fails says why")
    func failure() async {
        let tracer = tracer()
        await #expect(throws: SpireError(.io, "")) {
            try await tracer.trace("x", beginsTrace: true) { throw SpireError(.io, "disk full") }
        }
        #expect(tracer.take(atMost: 1).spans.first?.failure == "disk full")
    }

    @Test("parts alone begin no trace; traces that are not sampled, and a tracer that is off, make no spans")
    func unsampled() throws {
        #expect(tracer().begin("x", kind: .client) == nil)
        let unsampled = SpanContext(traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00")
        #expect(tracer().begin("x", kind: .server, parent: unsampled, beginsTrace: true) == nil)
        #expect(tracer(0).begin("x", kind: .server, beginsTrace: true) == nil)
        #expect(Tracer.off.begin("x", kind: .server, beginsTrace: true) == nil)
    }

    @Test("the queue has an end: later spans are dropped and counted")
    func bounded() {
        let tracer = tracer()
        for _ in 0..<Tracer.capacity + 5 { tracer.begin("x", kind: .server, beginsTrace: true)?.end() }
        let first = tracer.take(atMost: Tracer.capacity * 2)
        #expect(first.spans.count == Tracer.capacity)
        #expect(first.dropped == 5)
        #expect(tracer.take(atMost: 1).spans.isEmpty)
    }
}
