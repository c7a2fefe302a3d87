// SPDX-License-Identifier: Apache-2.0

/// The parts of a URI, cut but not decoded.
/// > Spec: RFC 3986 appendix B.
struct URIParts {
    let scheme: String
    /// What stands between `//` and the path; `nil` without `//`.
    let authority: String?
    let path: String
    let hasQuery: Bool
    let hasFragment: Bool

    /// Returns `nil` without a scheme, and for text with spaces or control characters.
    init?(_ text: String) {
        guard text.utf8.count <= 4096, text.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7f }),
            let colon = text.firstIndex(of: ":")
        else { return nil }
        scheme = text[..<colon].lowercased()
        guard let first = scheme.utf8.first, (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(first) else { return nil }
        var rest = text[text.index(after: colon)...]
        hasFragment = rest.contains("#")
        rest = rest.prefix { $0 != "#" }
        hasQuery = rest.contains("?")
        rest = rest.prefix { $0 != "?" }
        if rest.hasPrefix("//") {
            rest = rest.dropFirst(2)
            let authority = rest.prefix { $0 != "/" }
            self.authority = String(authority)
            rest = rest[authority.endIndex...]
        } else {
            authority = nil
        }
        path = String(rest)
    }

    /// `scheme:something` without a slash in front.
    var isOpaque: Bool { authority == nil && !path.isEmpty && !path.hasPrefix("/") }
}

/// IP addresses as text.
enum IPAddressText {
    /// Cuts `1.2.3.4:80` and `[::1]:80`; the port is `nil` when there is none.
    static func split(_ authority: String) -> (address: String, port: String?)? {
        if authority.hasPrefix("[") {
            guard let close = authority.firstIndex(of: "]") else { return nil }
            let address = String(authority[authority.index(after: authority.startIndex)..<close])
            let rest = authority[authority.index(after: close)...]
            guard rest.isEmpty || rest.hasPrefix(":"), address.contains(":") else { return nil }
            return (address, rest.isEmpty ? nil : String(rest.dropFirst()))
        }
        let parts = authority.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count <= 2 else { return nil }
        return (String(parts[0]), parts.count == 2 ? String(parts[1]) : nil)
    }

    static func isAddress(_ text: String) -> Bool { text.contains(":") ? isVersion6(text) : isVersion4(text[...]) }

    private static func isVersion4(_ text: Substring) -> Bool {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4
            && parts.allSatisfy { part in
                part.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
                    && UInt8(part) != nil && (part == "0" || !part.hasPrefix("0"))
            }
    }

    private static func isVersion6(_ text: String) -> Bool {
        let halves = text.split(separator: "::", omittingEmptySubsequences: false)
        guard halves.count <= 2 else { return false }
        var groups = 0
        for (place, half) in halves.enumerated() where !half.isEmpty {
            let parts = half.split(separator: ":", omittingEmptySubsequences: false)
            for (index, part) in parts.enumerated() {
                let isLast = place == halves.count - 1 && index == parts.count - 1
                if isLast, part.contains(".") {
                    guard isVersion4(part) else { return false }
                    groups += 2
                } else {
                    guard (1...4).contains(part.utf8.count), part.allSatisfy(\.isHexDigit) else { return false }
                    groups += 1
                }
            }
        }
        return halves.count == 2 ? groups < 8 : groups == 8
    }
}
