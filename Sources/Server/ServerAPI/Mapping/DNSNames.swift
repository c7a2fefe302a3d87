// SPDX-License-Identifier: Apache-2.0

/// Rules for DNS names in certificates: host names in ASCII, at most one wildcard, which is the first label. Letters of
/// both cases, digits, hyphens and underscores; labels that stand for others (`xn--`) must stand for something valid.
/// > Spec: RFC 5280 §4.2.1.6, RFC 6125 §6.4.3, RFC 5891 §5.4, UTS #46 §4.1.
package enum DNSNames {
    /// - Throws: `Malformed`.
    package static func check(_ name: String) throws {
        guard name.utf8.allSatisfy({ $0 < 0x80 }) else { throw Malformed("name must be ascii") }
        var rest = Substring(name)
        let stars = rest.utf8.reduce(0) { $1 == UInt8(ascii: "*") ? $0 + 1 : $0 }
        guard stars <= 1 else { throw Malformed("too many wildcards") }
        if stars == 1 {
            guard rest.hasPrefix("*.") else { throw Malformed("wildcard must be first label") }
            rest = rest.dropFirst(2)
        }
        guard !rest.allSatisfy(\.isWhitespace) else { throw Malformed("empty or only whitespace") }
        guard rest.utf8.last != UInt8(ascii: ".") else { throw Malformed("domain ends with dot") }
        guard rest.utf8.count <= 253 else { throw invalidLabel(rest) }
        for label in rest.split(separator: ".", omittingEmptySubsequences: false) { try check(label: label) }
    }

    private static func check(label: Substring) throws {
        guard !label.isEmpty, label.utf8.count <= 63 else { throw invalidLabel(label) }
        for scalar in label.unicodeScalars where !isAllowed(scalar) {
            let hex = String(scalar.value, radix: 16, uppercase: true)
            throw Malformed(
                "idna error: idna: disallowed rune U+\(String(repeating: "0", count: max(0, 4 - hex.count)))\(hex)")
        }
        guard label.hasPrefix("xn--") else { return try checkHyphens(Array(label.unicodeScalars), in: label) }
        guard let meant = Punycode.decode(label.dropFirst(4).utf8) else {
            throw invalidLabel(label.dropFirst(4))
        }
        try checkHyphens(meant, in: label)
        // An ASCII label needs no other form: two spellings of one name are how names are faked.
        guard let first = meant.first, meant.contains(where: { !$0.isASCII }), !isMark(first) else {
            throw invalidLabel(label)
        }
        for (place, scalar) in meant.enumerated() where !isMeant(scalar, before: place > 0 ? meant[place - 1] : nil) {
            throw invalidLabel(label)
        }
    }

    /// Whether a wildcard among `names` covers another of them.
    static func wildcardOverlap(_ names: [String]) -> Bool {
        let plain = Set(names.filter { !$0.hasPrefix("*.") }.compactMap { name in
            name.firstIndex(of: ".").map { String(name[$0...].dropFirst()) }
        })
        return names.contains { $0.hasPrefix("*.") && plain.contains(String($0.dropFirst(2))) }
    }

    private static func checkHyphens(_ scalars: [Unicode.Scalar], in label: Substring) throws {
        guard scalars.first != "-", scalars.last != "-" else { throw invalidLabel(label) }
        // Only names that were converted to ASCII already may have hyphens there.
        if scalars.count >= 4, scalars[2] == "-", scalars[3] == "-" { throw invalidLabel(label) }
    }

    private static func isAllowed(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "a"..."z", "A"..."Z", "0"..."9", "-", "_": true
        default: false
        }
    }

    private static func isMark(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .spacingMark, .enclosingMark: true
        default: false
        }
    }

    /// Whether a converted label may hold `scalar`: what mapping leaves as it is and every reader knows.
    private static func isMeant(_ scalar: Unicode.Scalar, before: Unicode.Scalar?) -> Bool {
        if scalar.isASCII { return isAllowed(scalar) && !("A"..."Z").contains(scalar) }
        let properties = scalar.properties
        switch scalar {
        case "\u{DF}", "\u{3C2}": return true
        case "\u{200C}", "\u{200D}":
            // Joiners change nothing that can be seen unless something before them joins.
            guard let before else { return false }
            return before.properties.canonicalCombiningClass == .virama
                || (scalar == "\u{200C}" && isCursive(before))
        default: break
        }
        guard !properties.changesWhenNFKCCaseFolded else { return false }
        switch properties.generalCategory {
        case .unassigned, .surrogate, .privateUse, .control, .format, .lineSeparator, .paragraphSeparator,
            .spaceSeparator:
            return false
        default: return true
        }
    }

    /// Whether letters around `scalar` take other shapes when they join: Arabic, Syriac, N'Ko, Mongolian and their kin.
    private static func isCursive(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x620...0x8ff, 0x1807...0x18aa, 0xa840...0xa872, 0xfb50...0xfdfb, 0xfe70...0xfefc, 0x1e900...0x1e943: true
        default: false
        }
    }

    /// Names a label, or so much of it as a name can have: what is refused for its length does not come back at length.
    private static func invalidLabel(_ label: Substring) -> Malformed {
        Malformed("idna error: idna: invalid label \"\(label.count > 255 ? label.prefix(255) + "…" : label)\"")
    }
}
