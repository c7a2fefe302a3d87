// SPDX-License-Identifier: Apache-2.0

/// Call metadata: ordered name-value pairs. Names are lower case; values of `-bin` names are base64 text as on the wire.
package struct Metadata: Sendable, Hashable, ExpressibleByDictionaryLiteral {
    package private(set) var pairs: [Pair]

    package struct Pair: Sendable, Hashable {
        package let name: String
        package let value: String
    }

    package init() { pairs = [] }

    package init(dictionaryLiteral elements: (String, String)...) {
        pairs = elements.map { Pair(name: $0.0.lowercased(), value: $0.1) }
    }

    package mutating func add(_ name: String, _ value: String) {
        pairs.append(Pair(name: name.lowercased(), value: value))
    }

    /// Adds a pair whose name is known to be lower case.
    mutating func addLowercase(_ name: String, _ value: String) {
        pairs.append(Pair(name: name, value: value))
    }

    /// All values of `name`, in order.
    package subscript(name: String) -> [String] {
        pairs.compactMap { $0.name == name ? $0.value : nil }
    }
}
