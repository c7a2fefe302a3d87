// SPDX-License-Identifier: Apache-2.0

/// One block of a PEM text.
/// > Spec: RFC 7468; as Go's reader, lines of any length and headers (RFC 1421 §4.4) are taken.
struct PEMBlock: Sendable, Hashable {
    /// What stands behind `BEGIN`.
    let label: String
    let der: [UInt8]

    /// What is wrong with a PEM text, and where. Never holds a part of what the blocks hold.
    struct Problem: Error, Sendable, CustomStringConvertible {
        let description: String
    }

    /// Most bytes of a PEM text that are looked at.
    static let maximumLength = 4 << 20

    /// All blocks of a text. What stands between blocks is skipped.
    static func all(_ text: String) throws(Problem) -> [PEMBlock] {
        guard text.utf8.count <= maximumLength else {
            throw Problem(description: "the text is longer than \(maximumLength) bytes")
        }
        var reader = Reader()
        for line in text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            try reader.take(trimmed(line))
        }
        return try reader.end()
    }

    private static func trimmed(_ line: Substring.UTF8View) -> Substring.UTF8View {
        func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0D }
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

        mutating func take(_ text: Substring.UTF8View) throws(Problem) {
            line += 1
            if let label = try boundary(text, "-----BEGIN") {
                guard open == nil else { throw unfinished() }
                open = Open(label: label, line: line)
            } else if let label = try boundary(text, "-----END") {
                guard let open else { throw problem("line \(line) ends a block that did not begin") }
                guard open.label == label else {
                    throw problem("block \(number) begins as another kind (line \(open.line)) than it ends (line \(line))")
                }
                try finish(open)
            } else {
                try body(text)
            }
        }

        func end() throws(Problem) -> [PEMBlock] {
            guard open == nil else { throw unfinished() }
            return blocks
        }

        /// The label of a line that begins with `word`; `nil` of every other line.
        private func boundary(_ text: Substring.UTF8View, _ word: String) throws(Problem) -> String? {
            guard text.starts(with: word.utf8) else { return nil }
            let rest = text.dropFirst(word.utf8.count)
            guard rest.first == 0x20, rest.count >= 6, rest.suffix(5).elementsEqual("-----".utf8),
                let label = String(rest.dropFirst().dropLast(5))
            else { throw problem("line \(line) is not a whole \(word) line") }
            return label
        }

        private mutating func body(_ text: Substring.UTF8View) throws(Problem) {
            guard open != nil else { return }
            if open?.isInHeaders == true {
                if text.contains(UInt8(ascii: ":")) {
                    guard !text.starts(with: "Proc-Type:".utf8) else {
                        throw problem("block \(number) (line \(line)) is encrypted, which is not supported")
                    }
                    return
                }
                open?.isInHeaders = false
            }
            guard text.allSatisfy(Self.isBase64) else { throw problem("block \(number) is not base64 in line \(line)") }
            open?.base64.append(contentsOf: text)
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
            blocks.append(PEMBlock(label: block.label, der: der))
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
