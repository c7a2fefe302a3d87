// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials

/// PEM blocks.
/// > Spec: RFC 7468.
package enum PEMText {
    package static func block(_ label: String, _ der: some Sequence<UInt8>) -> String {
        let text = Data(der).base64EncodedString()
        var out = "-----BEGIN \(label)-----\n"
        var rest = text[...]
        while !rest.isEmpty {
            out += rest.prefix(64) + "\n"
            rest = rest.dropFirst(64)
        }
        return out + "-----END \(label)-----\n"
    }

    package static func certificates(_ ders: [some Sequence<UInt8>]) -> String {
        ders.map { block("CERTIFICATE", $0) }.joined()
    }
}
