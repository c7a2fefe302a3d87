// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Glibc
import Groundwork
import TestKit
import Testing

@testable import Telemetry

@Suite("Metrics")
struct MetricsTests {
    private func meter(
        _ sink: any MetricSink, _ change: (inout TelemetryConfig) -> Void = { _ in }
    ) -> Meter {
        var config = TelemetryConfig()
        change(&config)
        return Meter(config, program: "spire_server", trustDomain: "example.org", host: "vm-1", sinks: [sink])
    }

    private func page(_ sink: PrometheusSink) -> String { String(decoding: sink.page(), as: UTF8.self) }

    @Test("a call is counted and timed by its status, with the original's names and labels")
    func calls() {
        let clock = ManualClock()
        let sink = PrometheusSink(time: clock)
        let calls = meter(sink).call(["datastore", "node", "fetch"], [("trust_domain_id", "b.org")])
        calls.record(.ok, .milliseconds(2))
        calls.record(.ok, .milliseconds(4))
        calls.record(.notFound, .microseconds(500))
        let name = "spire_server_datastore_node_fetch"
        let text = page(sink)
        #expect(text.contains("# TYPE \(name) counter\n"))
        #expect(text.contains("\(name){host=\"vm-1\",status=\"OK\",trust_domain_id=\"b_org\"} 2\n"))
        #expect(text.contains("\(name){host=\"vm-1\",status=\"NotFound\",trust_domain_id=\"b_org\"} 1\n"))
        let labels = "host=\"vm-1\",status=\"OK\",trust_domain_id=\"b_org\""
        #expect(text.contains("\(name)_elapsed_time{\(labels),quantile=\"0.5\"} 2\n"))
        #expect(text.contains("\(name)_elapsed_time{\(labels),quantile=\"0.99\"} 4\n"))
        #expect(text.contains("\(name)_elapsed_time_sum{\(labels)} 6\n"))
        #expect(text.contains("\(name)_elapsed_time_count{\(labels)} 2\n"))
    }

    @Test("quantiles forget after ten seconds, sums do not")
    func quantiles() {
        let clock = ManualClock()
        let sink = PrometheusSink(time: clock)
        meter(sink) { $0.enablesHostnameLabel = false }.sample(["x"]).add(3.0)
        clock.advance(by: .seconds(11))
        let text = page(sink)
        #expect(text.contains("spire_server_x{quantile=\"0.5\"} NaN\n"))
        #expect(text.contains("spire_server_x_sum 3\n"))
    }

    @Test("gauges are replaced and keep their precision; values are never in Swift's notation")
    func gauges() {
        let sink = PrometheusSink(time: ManualClock())
        let gauge = meter(sink) { $0.enablesHostnameLabel = false }.gauge(["manager", "x509_ca", "rotate", "expiration"])
        gauge.set(1)
        gauge.set(1_795_309_636)
        #expect(page(sink).contains("spire_server_manager_x509_ca_rotate_expiration 1795309636\n"))
        gauge.set(.infinity)
        #expect(page(sink).contains(" +Inf\n"))
    }

    @Test("prefix, trust domain label and filters follow the configuration")
    func configuration() {
        let sink = PrometheusSink(time: ManualClock())
        let meter = meter(sink) {
            $0.metricPrefix = "acme"
            $0.enablesHostnameLabel = false
            $0.enablesTrustDomainLabel = true
            $0.blockedPrefixes = ["acme.datastore"]
            $0.allowedPrefixes = ["acme.datastore.node"]
            $0.blockedLabels = ["secret"]
        }
        meter.counter(["datastore", "bundle"]).add()
        meter.counter(["datastore", "node"], [("secret", "x"), ("open", "y")]).add()
        meter.counter(["other"]).add()
        let text = page(sink)
        #expect(!text.contains("bundle"))
        #expect(text.contains("acme_datastore_node{open=\"y\",trust_domain=\"example_org\"} 1\n"))
        #expect(text.contains("acme_other{trust_domain=\"example_org\"} 1\n"))
    }

    @Test("labels are cleaned as the original does", arguments: [
        ("example.org", "example_org"), ("1.16.0-dev-unk", "1_16_0_dev_unk"), ("a-_b", "a_b"), ("a__b", "a__b"),
        ("spiffe://x/y", "spiffe_x_y"), ("é", "_"), ("", ""),
    ])
    func labels(text: String, clean: String) { #expect(MetricName.sanitized(text) == clean) }

    @Test("labels chosen by others cannot forge lines, nor grow without end")
    func hostileLabels() {
        let sink = PrometheusSink(time: ManualClock(), maximumSeries: 10)
        let evil = MetricName(parts: ["a b\n", "9"], labels: [.init("host", "x\"} 1\nforged 1 # \\")])
        sink.outlet(.counter, evil)?.record(1)
        #expect(page(sink).contains("a_b__9{host=\"x\\\"} 1\\nforged 1 # \\\\\"} 1\n"))
        #expect(sink.outlet(.gauge, evil) == nil)
        for number in 0..<10 {
            _ = sink.outlet(.counter, MetricName(parts: ["n"], labels: [.init("l", "\(number)")]))
        }
        #expect(sink.outlet(.counter, MetricName(parts: ["one", "more"], labels: [])) == nil)
    }

    @Test("without sinks nothing is made and nothing happens")
    func off() {
        #expect(!Meter.off.isOn)
        #expect(Meter.off.call(["a"]) === CallCounter.off)
        #expect(Meter.off.counter(["a"]).outlets.isEmpty)
        CallCounter.off.record(.ok, .seconds(1))
    }

    @Test("StatsD and DogStatsD lines are what their servers read")
    func datagrams() throws {
        let receiver = try Receiver()
        let clock = ManualClock()
        let plain = StatsdSink(.statsd, address: "127.0.0.1:\(receiver.port)", time: clock)
        let meter = meter(plain)
        meter.call(["svid", "rotate"]).record(.ok, .microseconds(1500))
        meter.gauge(["started"], [("version", "1.0")]).set(1)
        #expect(plain.flush() == nil)
        #expect(
            receiver.next() == """
                spire_server.svid.rotate.OK.vm-1:1.000000|c
                spire_server.svid.rotate.elapsed_time.OK.vm-1:1.500000|ms
                spire_server.started.1_0.vm-1:1.000000|g

                """)
        let dog = StatsdSink(.dogStatsd, address: "127.0.0.1:\(receiver.port)", time: clock)
        let tagged = self.meter(dog)
        tagged.call(["svid", "rotate"]).record(.ok, .microseconds(1500))
        #expect(dog.flush() == nil)
        #expect(
            receiver.next() == """
                spire_server.svid.rotate:1|c|#status:OK,host:vm-1
                spire_server.svid.rotate.elapsed_time:1.500000|ms|#status:OK,host:vm-1

                """)
    }

    @Test("datagrams stay below the size of a frame, and what nobody takes away is dropped")
    func datagramLimits() throws {
        let receiver = try Receiver()
        let sink = StatsdSink(.statsd, address: "127.0.0.1:\(receiver.port)", time: ManualClock())
        let counter = meter(sink).counter(["long", String(repeating: "x", count: 100)])
        for _ in 0..<30 { counter.add() }
        #expect(sink.flush() == nil)
        var lines = 0
        while lines < 30 {
            let text = try #require(receiver.next())
            #expect(text.utf8.count <= StatsdSink.datagramSize)
            lines += text.split(separator: "\n").count
        }
        let lost = StatsdSink(.statsd, address: "nowhere", time: ManualClock())
        meter(lost).counter(["a"]).add()
        #expect(lost.flush()?.contains("nowhere") == true)
        #expect(!lost.isDirty)
    }

    @Test("numbers have the decimals StatsD servers know", arguments: [
        (0.0, "0.000000"), (1.5, "1.500000"), (-2.25, "-2.250000"), (0.0000004, "0.000000"), (1e15, "1000000000000000"),
        (Double.nan, "0"),
    ])
    func decimals(value: Double, text: String) {
        #expect(String(decoding: DecimalText.bytes(value, digits: 6), as: UTF8.self) == text)
    }

    @Test("the in-memory sink shows completed seconds and forgets after an hour")
    func inMemory() {
        let clock = ManualClock()
        let sink = InMemorySink(time: clock)
        let meter = meter(sink) { $0.enablesHostnameLabel = false }
        meter.counter(["a"]).add()
        meter.sample(["t"]).add(1.0)
        meter.sample(["t"]).add(3.0)
        #expect(sink.dump().isEmpty)
        clock.advance(by: .seconds(1))
        let text = String(decoding: sink.dump(), as: UTF8.self)
        #expect(text.contains("[C] 'spire_server.a': Count: 1 Sum: 1.000 LastUpdated: "))
        #expect(text.contains("[S] 'spire_server.t': Count: 2 Min: 1.000 Mean: 2.000 Max: 3.000 Stddev: 1.414 Sum: 4.000"))
        clock.advance(by: .seconds(3700))
        meter.counter(["b"]).add()
        clock.advance(by: .seconds(1))
        let later = String(decoding: sink.dump(), as: UTF8.self)
        #expect(later.contains("spire_server.b") && !later.contains("spire_server.a'"))
    }

    @Test("the page names this process")
    func process() {
        let figures = ProcessFigures.prometheus()
        #expect(figures.contains { $0.name == "process_resident_memory_bytes" && $0.value > 1_000_000 })
        #expect(figures.contains { $0.name == "process_start_time_seconds" && $0.value > 1_700_000_000 })
    }
}

/// A UDP socket that tests read from.
private final class Receiver {
    private let descriptor: Int32
    let port: UInt16

    init() throws {
        descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        var patience = timeval(tv_sec: 5, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = descriptor
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, size) == 0 && getsockname(descriptor, $0, &size) == 0
            }
        }
        #expect(bound)
        port = UInt16(bigEndian: address.sin_port)
    }

    deinit { close(descriptor) }

    func next() -> String? {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : nil
    }
}
