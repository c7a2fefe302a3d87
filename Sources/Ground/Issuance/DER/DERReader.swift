// SPDX-License-Identifier: Apache-2.0

/// What broke the encoding rules. The reason is a fixed text, so it never repeats input.
package struct DERError: Error, Sendable, CustomStringConvertible {
    package let description: String
    package init(_ reason: StaticString) { description = "\(reason)" }
}

/// A cursor over DER that never reads past its end, never recurses and never copies.
///
/// Strict: definite, shortest lengths and one-byte tags only. An element inside another is read with `reader(_:)`.
/// > Spec: X.690 §8.1, §10.1.
package struct DERReader: Sendable {
    /// Where one element lies in the bytes.
    package struct Element: Sendable {
        package let tag: UInt8
        /// First byte of the tag.
        package let outset: Int
        /// First byte of the contents.
        package let start: Int
        package let end: Int
        package var count: Int { end - start }
    }

    package let bytes: [UInt8]
    package private(set) var position: Int
    private let end: Int

    package init(_ bytes: [UInt8]) {
        self.bytes = bytes
        position = 0
        end = bytes.count
    }

    private init(_ bytes: [UInt8], _ position: Int, _ end: Int) {
        self.bytes = bytes
        self.position = position
        self.end = end
    }

    package var isAtEnd: Bool { position == end }

    /// The tag of the element that comes next.
    package var nextTag: UInt8? { position < end ? bytes[position] : nil }

    /// Reads one element of any tag.
    package mutating func next() throws(DERError) -> Element {
        guard end - position >= 2 else { throw DERError("truncated element") }
        let outset = position
        let tag = bytes[outset]
        guard tag & 0x1f != 0x1f else { throw DERError("tag number too large") }
        var at = outset + 2
        var length = Int(bytes[outset + 1])
        if length >= 0x80 {
            let count = length & 0x7f
            guard count >= 1, count <= 4, end - at >= count else { throw DERError("bad length") }
            length = 0
            for _ in 0..<count {
                length = length << 8 | Int(bytes[at])
                at += 1
            }
            guard length >= 0x80, count == 1 || length >> (8 * (count - 1)) != 0 else {
                throw DERError("length is not the shortest")
            }
        }
        guard end - at >= length else { throw DERError("truncated element") }
        position = at + length
        return Element(tag: tag, outset: outset, start: at, end: position)
    }

    /// Reads one element that must have `tag`.
    package mutating func next(_ tag: UInt8) throws(DERError) -> Element {
        guard nextTag == tag else { throw DERError("unexpected element") }
        return try next()
    }

    /// Reads the next element when it has `tag`.
    package mutating func optional(_ tag: UInt8) throws(DERError) -> Element? {
        nextTag == tag ? try next() : nil
    }

    /// A cursor over the contents of `element`.
    package func reader(_ element: Element) -> DERReader { DERReader(bytes, element.start, element.end) }

    /// Enters the next element, which must have `tag`.
    package mutating func enter(_ tag: UInt8) throws(DERError) -> DERReader { reader(try next(tag)) }

    /// The contents of `element`.
    package func contents(_ element: Element) -> ArraySlice<UInt8> { bytes[element.start..<element.end] }

    /// `element` with its tag and length.
    package func whole(_ element: Element) -> ArraySlice<UInt8> { bytes[element.outset..<element.end] }

    /// Checks that nothing follows.
    package func finish() throws(DERError) {
        guard isAtEnd else { throw DERError("trailing data") }
    }

    /// Reads a non-negative INTEGER.
    /// - Returns: its magnitude, without leading zero bytes; empty for zero.
    package mutating func unsigned() throws(DERError) -> ArraySlice<UInt8> {
        let element = try next(DER.integer)
        let content = contents(element)
        guard let first = content.first else { throw DERError("empty integer") }
        guard first < 0x80 else { throw DERError("negative integer") }
        if first != 0 { return content }
        guard content.count == 1 || content[content.startIndex + 1] >= 0x80 else {
            throw DERError("integer is not the shortest")
        }
        return content.dropFirst()
    }

    /// Reads a BIT STRING of whole bytes.
    package mutating func octets() throws(DERError) -> ArraySlice<UInt8> {
        let content = contents(try next(DER.bitString))
        guard content.first == 0 else { throw DERError("bit string is not of whole bytes") }
        return content.dropFirst()
    }

    /// Reads a BOOLEAN.
    package mutating func boolean() throws(DERError) -> Bool {
        let content = contents(try next(DER.boolean))
        guard content.count == 1, let byte = content.first, byte == 0 || byte == 0xff else {
            throw DERError("bad boolean")
        }
        return byte != 0
    }

    /// Reads a UTCTime or GeneralizedTime in the forms RFC 5280 §4.1.2.5 allows.
    /// - Returns: Unix seconds.
    package mutating func time() throws(DERError) -> Int64 {
        let element = try next()
        let text = contents(element)
        guard let time = CivilTime(asn1: text, generalized: element.tag == DER.generalizedTime),
            element.tag == DER.utcTime || element.tag == DER.generalizedTime
        else { throw DERError("bad time") }
        return time.unix
    }
}
