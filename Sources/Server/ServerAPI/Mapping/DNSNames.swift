// SPDX-License-Identifier: Apache-2.0

/// Rules for DNS names in certificates: host names in ASCII, at most one wildcard, which is the first label.
/// > Spec: RFC 5280 §4.2.1.6, RFC 6125 §6.4.3, RFC 5891 §5.4.
enum DNSNames {
    static func check(_ name: String) throws {
        var rest = Substring(name)
        guard !rest.allSatisfy(\.isWhitespace) else { throw Malformed("empty or only whitespace") }
        let stars = rest.utf8.reduce(0) { $1 == UInt8(ascii: "*") ? $0 + 1 : $0 }
        guard stars <= 1 else { throw Malformed("too many wildcards") }
        if stars == 1 {
            guard rest.hasPrefix("*.") else { throw Malformed("wildcard must be first label") }
            rest = rest.dropFirst(2)
        }
        guard rest.utf8.last != UInt8(ascii: ".") else { throw Malformed("domain ends with dot") }
        guard !rest.isEmpty, rest.utf8.count <= 253 else { throw invalidLabel(rest) }
        for label in rest.split(separator: ".", omittingEmptySubsequences: false) {
            guard !label.isEmpty else { throw invalidLabel(rest) }
            for scalar in label.unicodeScalars where !isAllowed(scalar) {
                let hex = String(scalar.value, radix: 16, uppercase: true)
                throw Malformed(
                    "idna error: idna: disallowed rune U+\(String(repeating: "0", count: max(0, 4 - hex.count)))\(hex)")
            }
            let bytes = Array(label.utf8)
            guard bytes.count <= 63, bytes.first != UInt8(ascii: "-"), bytes.last != UInt8(ascii: "-") else {
                throw invalidLabel(label)
            }
            // Only names that were converted to ASCII already may have hyphens there.
            if bytes.count >= 4, bytes[2] == UInt8(ascii: "-"), bytes[3] == UInt8(ascii: "-"), !label.hasPrefix("xn--") {
                throw invalidLabel(label)
            }
        }
    }

    /// Whether a wildcard among `names` covers another of them.
    static func wildcardOverlap(_ names: [String]) -> Bool {
        let plain = Set(names.filter { !$0.hasPrefix("*.") }.compactMap { name in
            name.firstIndex(of: ".").map { String(name[$0...].dropFirst()) }
        })
        return names.contains { $0.hasPrefix("*.") && plain.contains(String($0.dropFirst(2))) }
    }

    private static func isAllowed(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "a"..."z", "0"..."9", "-": true
        default: false
        }
    }

    private static func invalidLabel(_ label: Substring) -> Malformed {
        Malformed("idna error: idna: invalid label \"\(label)\"")
    }
}
