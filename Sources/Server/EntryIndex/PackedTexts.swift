// SPDX-License-Identifier: Apache-2.0

import Groundwork

/// Texts under numbers that somebody else gives out, 64 in one buffer: each takes its bytes and four more.
///
/// In pieces of pieces, as `Slots`, so that changing a text while a copy of the whole is held elsewhere copies a few
/// kilobytes whatever the number of texts.
struct PackedTexts: Sendable {
    /// The bytes of a text in two parts, of which the first may be empty. Not to be kept after the call it was made for.
    @safe struct Text {
        fileprivate let first: UnsafeBufferPointer<UInt8>
        fileprivate let second: UnsafeBufferPointer<UInt8>

        /// Both good as long as the text is used.
        init(_ first: UnsafeBufferPointer<UInt8>, _ second: UnsafeBufferPointer<UInt8>) {
            unsafe self.first = unsafe first
            unsafe self.second = unsafe second
        }

        /// - Parameter bytes: Good as long as the text is used.
        init(_ bytes: UnsafeBufferPointer<UInt8>) {
            unsafe self.init(UnsafeBufferPointer(start: nil, count: 0), bytes)
        }

        /// - Parameter start: How many bytes of `text` are left out at its beginning.
        static func with<Result>(_ text: String, from start: Int = 0, _ body: (Text) -> Result) -> Result {
            var text = text
            return text.withUTF8 { unsafe body(Text(UnsafeBufferPointer(rebasing: $0.dropFirst(start)))) }
        }

        static func with<Result>(_ first: String, _ second: String, _ body: (Text) -> Result) -> Result {
            var (first, second) = (first, second)
            return first.withUTF8 { first in
                second.withUTF8 { unsafe body(Text(first, $0)) }
            }
        }

        /// Bytes of the first part.
        var border: Int { unsafe first.count }

        fileprivate var count: Int { unsafe first.count + second.count }

        /// Whether both parts are the same bytes.
        func isEqual(_ other: Text) -> Bool {
            unsafe border == other.border && first.isSame(as: other.first) && second.isSame(as: other.second)
        }

        /// For a `SlotFinder`.
        var hash: UInt64 {
            var hasher = Hasher()
            unsafe hasher.combine(bytes: UnsafeRawBufferPointer(first))
            hasher.combine(border)
            unsafe hasher.combine(bytes: UnsafeRawBufferPointer(second))
            return UInt64(truncatingIfNeeded: Int64(hasher.finalize()))
        }
    }

    private struct Piece: Sendable {
        /// Where each text ends in `bytes`.
        var ends: [UInt32] = []
        var bytes: [UInt8] = []

        func range(_ place: Int) -> Range<Int> {
            guard place < ends.count else { return bytes.count..<bytes.count }
            return (place == 0 ? 0 : Int(ends[place - 1]))..<Int(ends[place])
        }
    }

    private var groups: [[Piece]] = []

    private static let perPiece = 64
    /// More unused bytes than this are given back once a buffer has all of its texts.
    private static let slack = 32

    /// Puts a text, of less than 60 million bytes, in place of what was there.
    mutating func set(_ number: Int32, _ text: Text) {
        let (group, piece, place) = Self.position(number)
        while groups.count <= group { groups.append([]) }
        while groups[group].count <= piece { groups[group].append(Piece()) }
        Self.put(text, place, into: &groups[group][piece])
    }

    /// Leaves an empty text.
    mutating func clear(_ number: Int32) { Text.with("") { set(number, $0) } }

    /// A number never set has an empty text.
    /// - Parameter prefix: Comes before it.
    func text(_ number: Int32, after prefix: String = "") -> String {
        let bytes = bytes(number)
        if prefix.isEmpty { return String(decoding: bytes, as: UTF8.self) }
        let length = prefix.utf8.count + bytes.count
        return unsafe String(unsafeUninitializedCapacity: length) { buffer in
            var at = unsafe buffer.initialize(fromContentsOf: prefix.utf8)
            at = unsafe buffer[at...].initialize(fromContentsOf: bytes)
            return at
        }
    }

    /// What `Text.hash` is of the text, its first part being of `length` bytes.
    func hash(_ number: Int32, first length: Int = 0) -> UInt64 {
        unsafe withBytes(number) { bytes in
            unsafe Text(
                UnsafeBufferPointer(rebasing: bytes.prefix(length)), UnsafeBufferPointer(rebasing: bytes.dropFirst(length))
            ).hash
        }
    }

    /// Whether the text is exactly these bytes, wherever the border of the parts is.
    func isEqual(_ number: Int32, _ text: Text) -> Bool {
        unsafe withBytes(number) { bytes in
            unsafe bytes.count == text.count && bytes.begins(with: text.first)
                && UnsafeBufferPointer(rebasing: bytes.dropFirst(text.border)).isSame(as: text.second)
        }
    }

    /// The text's bytes, good only during the call.
    func withBytes<Result>(_ number: Int32, _ body: (UnsafeBufferPointer<UInt8>) -> Result) -> Result {
        let (group, piece, place) = Self.position(number)
        guard group < groups.count, piece < groups[group].count else {
            return unsafe body(UnsafeBufferPointer(start: nil, count: 0))
        }
        let range = groups[group][piece].range(place)
        return unsafe groups[group][piece].bytes.withUnsafeBufferPointer { bytes in
            unsafe body(UnsafeBufferPointer(rebasing: bytes[range]))
        }
    }

    private func bytes(_ number: Int32) -> ArraySlice<UInt8> {
        let (group, piece, place) = Self.position(number)
        guard group < groups.count, piece < groups[group].count else { return [] }
        return groups[group][piece].bytes[groups[group][piece].range(place)]
    }

    private static func position(_ number: Int32) -> (group: Int, piece: Int, place: Int) {
        (Int(number >> 12), Int(number >> 6 & 63), Int(number & 63))
    }

    private static func put(_ text: Text, _ place: Int, into piece: inout Piece) {
        if piece.ends.isEmpty { piece.ends.reserveCapacity(perPiece) }
        if place == piece.ends.count {
            unsafe piece.bytes.append(contentsOf: text.first)
            unsafe piece.bytes.append(contentsOf: text.second)
            piece.ends.append(UInt32(truncatingIfNeeded: piece.bytes.count))
        } else {
            while piece.ends.count <= place { piece.ends.append(UInt32(truncatingIfNeeded: piece.bytes.count)) }
            let range = piece.range(place)
            unsafe piece.bytes.replaceSubrange(range, with: text.second)
            if text.border > 0 { unsafe piece.bytes.insert(contentsOf: text.first, at: range.lowerBound) }
            let growth = Int32(truncatingIfNeeded: text.count - range.count)
            if growth != 0 {
                for later in place..<piece.ends.count { piece.ends[later] &+= UInt32(bitPattern: growth) }
            }
        }
        if place == perPiece - 1, piece.bytes.capacity - piece.bytes.count > slack {
            // Of exactly the size needed.
            var exact: [UInt8] = []
            exact.reserveCapacity(piece.bytes.count)
            exact.append(contentsOf: piece.bytes)
            piece.bytes = exact
        }
    }
}
