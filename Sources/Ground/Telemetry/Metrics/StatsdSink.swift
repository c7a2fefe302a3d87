// SPDX-License-Identifier: Apache-2.0

package import Groundwork
import Synchronization

/// Sends every value as a line of a UDP datagram: to a StatsD server, or to a DogStatsD one, which knows tags.
///
/// Values are only put into a buffer when they are recorded; `flush` sends them. What does not fit is dropped: metrics
/// never make anybody wait.
package final class StatsdSink: MetricSink {
    package enum Dialect: Sendable, Hashable {
        /// Label values become further parts of the key.
        case statsd
        /// Labels become tags.
        case dogStatsd
    }

    /// Most bytes of a datagram: what an Ethernet frame takes.
    static let datagramSize = 1432
    /// Most datagrams waiting.
    static let maximumDatagrams = 256
    private static let retryInterval: Duration = .seconds(10)

    private struct State {
        var full: [[UInt8]] = []
        var current: [UInt8] = []
    }
    private struct Link {
        var socket: DatagramSocket?
        var triedAt: Duration?
    }

    private let address: String
    private let dialect: Dialect
    private let time: any TimeSource
    private let state = Mutex(State())
    private let link = Mutex(Link())

    /// - Parameter address: `host:port`.
    package init(_ dialect: Dialect, address: String, time: any TimeSource) {
        self.dialect = dialect
        self.address = address
        self.time = time
    }

    package func outlet(_ kind: MetricKind, _ name: MetricName) -> (any MetricOutlet)? {
        Line(sink: self, kind: kind, start: Self.start(dialect, name), end: Self.end(dialect, kind, name), dialect)
    }

    private static func start(_ dialect: Dialect, _ name: MetricName) -> [UInt8] {
        let parts = dialect == .statsd ? name.parts + name.labels.map(\.value) : name.parts
        return clean(parts.joined(separator: ".")) + [UInt8(ascii: ":")]
    }

    private static func end(_ dialect: Dialect, _ kind: MetricKind, _ name: MetricName) -> [UInt8] {
        let type =
            switch kind {
            case .counter: "|c"
            case .gauge: "|g"
            case .sample: "|ms"
            }
        var out = Array(type.utf8)
        if dialect == .dogStatsd, !name.labels.isEmpty {
            out.append(contentsOf: "|#".utf8)
            for (index, label) in name.labels.enumerated() {
                if index > 0 { out.append(UInt8(ascii: ",")) }
                out += clean(label.name) + [UInt8(ascii: ":")] + clean(label.value)
            }
        }
        out.append(UInt8(ascii: "\n"))
        return out
    }

    /// Nothing in a name may look like the marks of a line.
    private static func clean(_ text: String) -> [UInt8] {
        text.utf8.map { byte in
            switch byte {
            case UInt8(ascii: ":"), UInt8(ascii: "|"), UInt8(ascii: "@"), UInt8(ascii: "#"), UInt8(ascii: ","),
                0...UInt8(ascii: " "):
                UInt8(ascii: "_")
            default: byte
            }
        }
    }

    private struct Line: MetricOutlet {
        let sink: StatsdSink
        let start: [UInt8]
        let end: [UInt8]
        let digits: Int

        init(sink: StatsdSink, kind: MetricKind, start: [UInt8], end: [UInt8], _ dialect: Dialect) {
            self.sink = sink
            self.start = start
            self.end = end
            digits = dialect == .dogStatsd && kind == .counter ? 0 : 6
        }

        func record(_ value: Double) { sink.append(start, DecimalText.bytes(value, digits: digits), end) }
    }

    private func append(_ start: [UInt8], _ value: [UInt8], _ end: [UInt8]) {
        let size = start.count + value.count + end.count
        guard size <= Self.datagramSize else { return }
        state.withLock { state in
            if state.current.count + size > Self.datagramSize {
                if state.full.count < Self.maximumDatagrams { state.full.append(state.current) }
                state.current.removeAll(keepingCapacity: true)
            }
            state.current += start
            state.current += value
            state.current += end
        }
    }

    /// Whether there is something to send.
    package var isDirty: Bool { state.withLock { !$0.current.isEmpty || !$0.full.isEmpty } }

    /// Sends what has gathered. Blocks while the address is looked up: for a lane of blocking calls only.
    ///
    /// - Returns: why the address cannot be used, once for each attempt to look it up.
    package func flush() -> String? {
        var problem: String?
        let datagrams = state.withLock { state in
            var all = state.full
            if !state.current.isEmpty { all.append(state.current) }
            state = State()
            return all
        }
        link.withLock { link in
            if link.socket == nil {
                let now = time.uptime
                if let last = link.triedAt, now - last < Self.retryInterval { return }
                link.triedAt = now
                do {
                    link.socket = try DatagramSocket(to: address)
                } catch {
                    problem = "\(error)"
                    return
                }
            }
            for datagram in datagrams { link.socket?.send(datagram) }
        }
        return problem
    }
}

/// Numbers with a fixed number of decimals.
enum DecimalText {
    static func bytes(_ value: Double, digits: Int) -> [UInt8] {
        let scale: Double = digits == 0 ? 1 : 1_000_000
        guard value.isFinite, abs(value) < 9e12 else {
            return Array((Int64(exactly: value.rounded()).map { "\($0)" } ?? "0").utf8)
        }
        let scaled = Int64((abs(value) * scale).rounded())
        var out: [UInt8] = value < 0 && scaled != 0 ? [UInt8(ascii: "-")] : []
        guard digits > 0 else { return out + Array("\(scaled)".utf8) }
        out += Array("\(scaled / 1_000_000)".utf8)
        out.append(UInt8(ascii: "."))
        let fraction = Array("\(scaled % 1_000_000)".utf8)
        out += [UInt8](repeating: UInt8(ascii: "0"), count: 6 - fraction.count) + fraction
        return out
    }
}
