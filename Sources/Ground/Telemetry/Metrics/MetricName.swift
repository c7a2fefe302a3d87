// SPDX-License-Identifier: Apache-2.0

/// What a metric counts.
package enum MetricKind: Sendable, Hashable {
    /// Only ever grows.
    case counter
    /// Replaced by each value.
    case gauge
    /// A distribution of values; times are in milliseconds.
    case sample
}

/// A metric's full name, prefix first, and its labels in the order sinks without names for labels write them.
package struct MetricName: Sendable, Hashable {
    package struct Label: Sendable, Hashable {
        package let name: String
        package let value: String
        package init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    package let parts: [String]
    package let labels: [Label]

    /// Parts joined as filters and most sinks see them.
    package var dotted: String { parts.joined(separator: ".") }

    /// Replaces every run of characters that are not letters, digits or `_`, with one `_` that may follow, by `_`.
    /// > Matches: SPIRE's label sanitising.
    package static func sanitized(_ text: String) -> String {
        var out: [UInt8] = []
        var isInRun = false
        for byte in text.utf8 {
            let isWord =
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
                    true
                default: false
                }
            if !isWord {
                if !isInRun { out.append(UInt8(ascii: "_")) }
                isInRun = true
            } else {
                if !(isInRun && byte == UInt8(ascii: "_")) { out.append(byte) }
                isInRun = false
            }
        }
        return String(decoding: out, as: UTF8.self)
    }
}

/// Which metrics and labels the configuration lets through.
struct MetricFilter: Sendable {
    private let rules: [(prefix: String, isAllowed: Bool)]
    private let allowedLabels: Set<String>?
    private let blockedLabels: Set<String>

    init(_ config: TelemetryConfig) {
        // The longest matching prefix decides; without a match a metric passes. A prefix in both lists is blocked.
        let allowed = config.allowedPrefixes.map { (prefix: $0, isAllowed: true) }
        let blocked = config.blockedPrefixes.map { (prefix: $0, isAllowed: false) }
        rules = (blocked + allowed).sorted { $0.prefix.utf8.count > $1.prefix.utf8.count }
        allowedLabels = config.allowedLabels.isEmpty ? nil : Set(config.allowedLabels)
        blockedLabels = Set(config.blockedLabels)
    }

    func allows(_ dotted: String) -> Bool { rules.first { dotted.hasPrefix($0.prefix) }?.isAllowed ?? true }

    func allows(label: String) -> Bool {
        !blockedLabels.contains(label) && allowedLabels?.contains(label) ?? true
    }
}
