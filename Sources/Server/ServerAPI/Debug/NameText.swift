// SPDX-License-Identifier: Apache-2.0

import SwiftASN1
import X509

/// Distinguished names as Go prints them: known attributes in a fixed order, last first; the others before them.
/// > Spec: RFC 2253; Go's `pkix.Name.String`.
enum NameText {
    private static let known: [(oid: ASN1ObjectIdentifier, label: String)] = [
        ([2, 5, 4, 6], "C"), ([2, 5, 4, 10], "O"), ([2, 5, 4, 11], "OU"), ([2, 5, 4, 7], "L"), ([2, 5, 4, 8], "ST"),
        ([2, 5, 4, 9], "STREET"), ([2, 5, 4, 17], "POSTALCODE"), ([2, 5, 4, 3], "CN"), ([2, 5, 4, 5], "SERIALNUMBER"),
    ]

    static func text(_ name: DistinguishedName) -> String {
        var parts: [String] = []
        var values: [String: [String]] = [:]
        for attributes in name {
            for attribute in attributes {
                if let label = known.first(where: { $0.oid == attribute.type })?.label {
                    values[label, default: []].append(escaped("\(attribute.value)"))
                } else {
                    parts.append("\(attribute.type)=\(escaped("\(attribute.value)"))")
                }
            }
        }
        for (oid, label) in known {
            guard let found = values[label] else { continue }
            // The common name and the serial number have one place each: the last one counts.
            let single = oid == [2, 5, 4, 3] || oid == [2, 5, 4, 5]
            parts.append((single ? found.suffix(1) : found[...]).map { "\(label)=\($0)" }.joined(separator: "+"))
        }
        return parts.reversed().joined(separator: ",")
    }

    private static func escaped(_ text: String) -> String {
        var out = ""
        for (index, character) in text.enumerated() {
            let isEnd = index == 0 || index == text.count - 1
            if ",+\"\\<>;".contains(character) || (character == " " && isEnd) || (character == "#" && index == 0) {
                out.append("\\")
            }
            out.append(character)
        }
        return out
    }
}
