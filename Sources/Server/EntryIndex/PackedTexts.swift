// SPDX-License-Identifier: Apache-2.0

/// Texts under numbers that somebody else gives out, 64 in one buffer: each takes its bytes and four more.
///
/// In pieces of pieces, as `Slots`, so that changing a text while a copy of the whole is held elsewhere copies a few
/// kilobytes whatever the number of texts.
struct PackedTexts: Sendable {
    /// A text in two parts, of which the first may be empty.
    struct Text {
        let first: Substring.UTF8View
        let second: Substring.UTF8View

        init(_ first: Substring.UTF8View, _ second: Substring.UTF8View) {
            self.first = first
            self.second = second
        }

        init(_ text: Substring.UTF8View) { self.init(Substring().utf8, text) }

        /// For a `SlotFinder`.
        var hash: UInt64 {
            var hasher = Hasher()
            Self.combine(first, &hasher)
            hasher.combine(first.count)
            Self.combine(second, &hasher)
            return UInt64(truncatingIfNeeded: Int64(hasher.finalize()))
        }

        fileprivate static func combine(_ bytes: some Collection<UInt8>, _ hasher: inout Hasher) {
            let isDone: Void? = bytes.withContiguousStorageIfAvailable { buffer in
                unsafe hasher.combine(bytes: UnsafeRawBufferPointer(buffer))
            }
            if isDone == nil { for byte in bytes { hasher.combine(byte) } }
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
    mutating func clear(_ number: Int32) { set(number, Text(Substring().utf8)) }

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

    /// The text in two parts, the first of `length` bytes.
    func parts(_ number: Int32, first length: Int) -> (first: String, second: String) {
        let bytes = bytes(number)
        return (
            String(decoding: bytes.prefix(length), as: UTF8.self), String(decoding: bytes.dropFirst(length), as: UTF8.self)
        )
    }

    /// What `Text.hash` is of the text, its first part being of `length` bytes.
    func hash(_ number: Int32, first length: Int = 0) -> UInt64 {
        let bytes = bytes(number)
        var hasher = Hasher()
        Text.combine(bytes.prefix(length), &hasher)
        hasher.combine(length)
        Text.combine(bytes.dropFirst(length), &hasher)
        return UInt64(truncatingIfNeeded: Int64(hasher.finalize()))
    }

    /// Whether the text is exactly these bytes, wherever the border of the parts is.
    func isEqual(_ number: Int32, _ text: Text) -> Bool {
        let bytes = bytes(number)
        let border = text.first.count
        return bytes.count == border + text.second.count && Self.isSame(bytes.prefix(border), text.first)
            && Self.isSame(bytes.dropFirst(border), text.second)
    }

    private func bytes(_ number: Int32) -> ArraySlice<UInt8> {
        let (group, piece, place) = Self.position(number)
        guard group < groups.count, piece < groups[group].count else { return [] }
        return groups[group][piece].bytes[groups[group][piece].range(place)]
    }

    private static func position(_ number: Int32) -> (group: Int, piece: Int, place: Int) {
        (Int(number >> 12), Int(number >> 6 & 63), Int(number & 63))
    }

    /// - Parameter text: As long as `bytes`.
    private static func isSame(_ bytes: ArraySlice<UInt8>, _ text: Substring.UTF8View) -> Bool {
        let isSame = unsafe bytes.withContiguousStorageIfAvailable { known in
            unsafe text.withContiguousStorageIfAvailable { unsafe known.elementsEqual($0) }
        }
        return (isSame ?? nil) ?? bytes.elementsEqual(text)
    }

    private static func put(_ text: Text, _ place: Int, into piece: inout Piece) {
        if piece.ends.isEmpty { piece.ends.reserveCapacity(perPiece) }
        while piece.ends.count <= place { piece.ends.append(UInt32(truncatingIfNeeded: piece.bytes.count)) }
        let range = piece.range(place)
        let border = text.first.count
        if !text.first.isEmpty { piece.bytes.insert(contentsOf: text.first, at: range.lowerBound) }
        piece.bytes.replaceSubrange(range.lowerBound + border..<range.upperBound + border, with: text.second)
        let growth = Int32(truncatingIfNeeded: border + text.second.count - range.count)
        if growth != 0 {
            for later in place..<piece.ends.count { piece.ends[later] &+= UInt32(bitPattern: growth) }
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
