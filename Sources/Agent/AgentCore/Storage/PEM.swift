// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials

/// Text armour of DER certificates.
package enum PEM {
    private static let begin = "-----BEGIN CERTIFICATE-----"
    private static let end = "-----END CERTIFICATE-----"

    /// One CERTIFICATE block with lines of 64 characters, as Go's encoder writes it.
    package static func certificate(_ der: [UInt8]) -> String {
        let text = Array(Data(der).base64EncodedString().utf8)
        var out = begin + "\n"
        var start = 0
        while start < text.count {
            let stop = min(start + 64, text.count)
            out += String(decoding: text[start..<stop], as: UTF8.self)
            out += "\n"
            start = stop
        }
        return out + end + "\n"
    }

    /// The DER bytes of every CERTIFICATE block, in order. Other blocks and text between blocks are skipped.
    /// - Returns: `nil` when a CERTIFICATE block is not closed or not base64.
    package static func certificates(_ text: [UInt8]) -> [[UInt8]]? {
        var found: [[UInt8]] = []
        var body: [UInt8]?
        for line in text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: true) {
            let line = trim(line)
            if line.elementsEqual(begin.utf8) {
                if body != nil { return nil }
                body = []
            } else if line.elementsEqual(end.utf8) {
                guard let base64 = body, let der = Data(base64Encoded: Data(base64)), !der.isEmpty else { return nil }
                found.append(Array(der))
                body = nil
            } else if body != nil {
                body?.append(contentsOf: line)
            }
        }
        return body == nil ? found : nil
    }

    private static func trim(_ line: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var line = line
        while let last = line.last, last == 0x20 || last == 0x09 || last == 0x0d { line.removeLast() }
        while let first = line.first, first == 0x20 || first == 0x09 { line.removeFirst() }
        return line
    }
}
