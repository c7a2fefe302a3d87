// SPDX-License-Identifier: Apache-2.0

/// Where measurements go. Keys are the parts of SPIRE's metric names without the prefix.
package protocol Metrics: Sendable {
    /// Adds to a counter.
    func increment(_ key: [String], by amount: Double, labels: [(String, String)])
    /// Sets a gauge.
    func gauge(_ key: [String], _ value: Double, labels: [(String, String)])
    /// Records how long something took.
    func sample(_ key: [String], _ duration: Duration, labels: [(String, String)])
}

/// Measures nothing: what a configuration without sinks gets.
package struct NoMetrics: Metrics {
    package init() {}
    package func increment(_ key: [String], by amount: Double, labels: [(String, String)]) {}
    package func gauge(_ key: [String], _ value: Double, labels: [(String, String)]) {}
    package func sample(_ key: [String], _ duration: Duration, labels: [(String, String)]) {}
}
