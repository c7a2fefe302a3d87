// SPDX-License-Identifier: Apache-2.0

/// Walks a text by Unicode scalars and knows where it is, counting as operators' editors do.
struct HCLCursor {
    let source: [UInt8]
    /// Of the byte after the last scalar read.
    private(set) var offset = 0
    private var line = 1
    /// Of the last scalar read; 0 right after a line end.
    private var column = 0
    private var lastLineLength = 0
    private var before: (offset: Int, line: Int, column: Int) = (0, 1, 0)

    init(_ source: [UInt8]) { self.source = source }

    /// What `next` returns at the end.
    static let end: UInt32 = 0

    /// Reads a scalar; `end` when there is none. At the end every call moves one column on.
    mutating func next() throws(HCLError) -> UInt32 {
        before = (offset, line, column)
        guard offset < source.count else {
            column += 1
            return Self.end
        }
        let first = source[offset]
        if first < 0x80 {
            offset += 1
            column += 1
            if first == UInt8(ascii: "\n") {
                line += 1
                lastLineLength = column
                column = 0
            } else if first == 0 {
                throw HCLError(position, "unexpected null character (0x00)")
            }
            return UInt32(first)
        }
        return try nextWide(first)
    }

    private mutating func nextWide(_ first: UInt8) throws(HCLError) -> UInt32 {
        column += 1
        let length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2
        guard first >= 0xC2, first <= 0xF4, offset + length <= source.count else {
            throw HCLError(position, "illegal UTF-8 encoding")
        }
        var scalar = UInt32(first) & (length == 4 ? 0x07 : length == 3 ? 0x0F : 0x1F)
        for index in offset + 1..<offset + length {
            guard source[index] & 0xC0 == 0x80 else { throw HCLError(position, "illegal UTF-8 encoding") }
            scalar = scalar << 6 | UInt32(source[index] & 0x3F)
        }
        let least: UInt32 = length == 4 ? 0x10000 : length == 3 ? 0x800 : 0x80
        guard scalar >= least, Unicode.Scalar(scalar) != nil else {
            throw HCLError(position, "illegal UTF-8 encoding")
        }
        offset += length
        return scalar
    }

    /// Takes back the last `next`; once only.
    mutating func back() { (offset, line, column) = before }

    /// The scalar `next` would return if it is ASCII; 0 at the end.
    var peek: UInt8 { offset < source.count ? source[offset] : 0 }

    /// Of the last scalar read.
    var position: HCLPosition {
        if column > 0 { return HCLPosition(line: line, column: column) }
        if lastLineLength > 0 { return HCLPosition(line: line - 1, column: lastLineLength) }
        return HCLPosition(line: 1, column: 1)
    }

    /// Where the last scalar read begins.
    var startOfLast: Int { before.offset }

    func text(from start: Int, to end: Int) -> String { String(decoding: source[start..<end], as: UTF8.self) }
}
