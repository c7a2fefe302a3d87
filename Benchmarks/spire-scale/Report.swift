// SPDX-License-Identifier: Apache-2.0

/// Figures in the order they were found; told as they come, and as one JSON object at the end.
struct Report {
    private var fields: [(String, Double)] = []
    private var texts: [(String, String)] = []

    mutating func add(_ name: String, _ value: Double) {
        fields.append((name, value))
        print("\(name): \(Self.text(value))")
    }

    mutating func add(_ more: [(String, Double)]) { for (name, value) in more { add(name, value) } }

    mutating func note(_ name: String, _ text: String) { texts.append((name, text)) }

    var json: String {
        let numbers = fields.map { "\"\($0.0)\": \(Self.text($0.1))" }
        let notes = texts.map { "\"\($0.0)\": \"\($0.1.filter { $0 != "\"" && $0 != "\\" && $0 >= " " })\"" }
        return "{" + (numbers + notes).joined(separator: ", ") + "}"
    }

    private static func text(_ value: Double) -> String {
        value == value.rounded() && abs(value) < 1e15 ? "\(Int(value))" : "\((value * 1000).rounded() / 1000)"
    }
}
