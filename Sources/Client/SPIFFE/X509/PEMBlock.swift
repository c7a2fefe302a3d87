// SPDX-License-Identifier: Apache-2.0

/// One block of a PEM text.
/// > Spec: RFC 7468; as Go's reader, lines of any length, with blanks in them, and headers (RFC 1421 §4.4) are taken.
package struct PEMBlock: Sendable, Hashable {
    /// What stands behind `BEGIN`.
    package let label: String
    package let der: [UInt8]

    package init(_ label: String, _ der: [UInt8]) {
        self.label = label
        self.der = der
    }

    /// The block with lines of 64 characters and the last line end, as Go's encoder writes it.
    package var text: String {
        var out = "-----BEGIN \(label)-----\n"
        var rest = Base64.encode(der, .standard)[...]
        while !rest.isEmpty {
            out += rest.prefix(64) + "\n"
            rest = rest.dropFirst(64)
        }
        return out + "-----END \(label)-----\n"
    }

    /// What is wrong with a PEM text, and where. Never holds a part of what the blocks hold.
    package struct Problem: Error, Sendable, CustomStringConvertible {
        package let description: String
    }

    /// Most bytes of a PEM text that are looked at.
    static let maximumLength = 4 << 20

    /// All blocks of a text. What stands between blocks is skipped; a block that is damaged is a problem, where Go's
    /// reader passes over it: a root or a chain that lacks one certificate fails elsewhere and later.
    package static func all(_ text: String) throws(Problem) -> [PEMBlock] {
        guard text.utf8.count <= maximumLength else {
            throw Problem(description: "the text is longer than \(maximumLength) bytes")
        }
        var reader = Reader()
        for line in text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            try reader.take(trimmed(line))
        }
        return try reader.end()
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0D }

    private static func trimmed(_ line: Substring.UTF8View) -> Substring.UTF8View {
        var line = line.drop(while: isBlank)
        while let last = line.last, isBlank(last) { line.removeLast() }
        return line
    }

    private struct Reader {
        private struct Open {
            let label: String
            /// Of its `BEGIN`.
            let line: Int
            var base64: [UInt8] = []
            var isInHeaders = true
        }

        private var blocks: [PEMBlock] = []
        private var open: Open?
        private var line = 0
        /// The last line outside of blocks that looks like a `BEGIN` that lost something.
        private var suspect: Int?

        mutating func take(_ text: Substring.UTF8View) throws(Problem) {
            line += 1
            guard open != nil else { return try outside(text) }
            if text.starts(with: "-----BEGIN".utf8) {
                throw unfinished()
            } else if text.starts(with: "-----END".utf8) {
                guard let label = label(text, "-----END ") else { throw problem("line \(line) is not a whole -----END line") }
                guard let open, open.label == label else {
                    throw problem("block \(number) begins as another kind (line \(open?.line ?? line)) than it ends (line \(line))")
                }
                try finish(open)
            } else {
                try body(text)
            }
        }

        /// Words between blocks may look like a `BEGIN` or an `END`; what belongs to a block is not lost in silence.
        private mutating func outside(_ text: Substring.UTF8View) throws(Problem) {
            if let label = label(text, "-----BEGIN ") {
                open = Open(label: label, line: line)
                suspect = nil
            } else if text.starts(with: "-----BEGIN".utf8) {
                suspect = line
            } else if let suspect {
                let isData = suspect == line - 1 && text.count >= 16 && text.allSatisfy(Self.isBase64)
                guard !isData, !text.starts(with: "-----END ".utf8) else {
                    throw problem("line \(suspect) is not a whole -----BEGIN line")
                }
            } else if label(text, "-----END ") != nil {
                throw problem("line \(line) ends a block that did not begin")
            }
        }

        func end() throws(Problem) -> [PEMBlock] {
            guard open == nil else { throw unfinished() }
            return blocks
        }

        /// The label of a whole line that begins with `word`; `nil` of every other line.
        private func label(_ text: Substring.UTF8View, _ word: String) -> String? {
            guard text.starts(with: word.utf8) else { return nil }
            let rest = text.dropFirst(word.utf8.count)
            guard rest.suffix(5).elementsEqual("-----".utf8) else { return nil }
            return String(rest.dropLast(5))
        }

        private mutating func body(_ text: Substring.UTF8View) throws(Problem) {
            if open?.isInHeaders == true {
                if text.contains(UInt8(ascii: ":")) {
                    guard !text.starts(with: "Proc-Type:".utf8) else {
                        throw problem("block \(number) (line \(line)) is encrypted, which is not supported")
                    }
                    return
                }
                open?.isInHeaders = false
            }
            guard text.allSatisfy({ Self.isBase64($0) || isBlank($0) }) else {
                throw problem("block \(number) is not base64 in line \(line)")
            }
            open?.base64.append(contentsOf: text.lazy.filter { !isBlank($0) })
        }

        private static func isBase64(_ byte: UInt8) -> Bool {
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "/"), UInt8(ascii: "="):
                true
            default: false
            }
        }

        private mutating func finish(_ block: Open) throws(Problem) {
            guard !block.base64.isEmpty else { throw problem("block \(number) (line \(block.line)) is empty") }
            guard let der = Base64.decode(block.base64, .standard) else {
                throw problem("block \(number) (line \(block.line)) is not whole base64: characters are missing or too many")
            }
            blocks.append(PEMBlock(block.label, der))
            open = nil
        }

        /// Of the block that is open, from one.
        private var number: Int { blocks.count + 1 }

        private func unfinished() -> Problem {
            problem("block \(number) (line \(open?.line ?? line)) has no -----END line")
        }

        private func problem(_ text: String) -> Problem { Problem(description: text) }
    }
}
