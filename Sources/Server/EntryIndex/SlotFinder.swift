// SPDX-License-Identifier: Apache-2.0

/// Finds values that are kept elsewhere under small numbers, by their contents: a hash table of the numbers alone.
///
/// A dictionary would keep each key a second time. In pieces of pieces, as `Slots`, so that changing it while a copy of
/// the whole is held elsewhere copies one small piece only.
struct SlotFinder: Sendable {
    private struct Cell: Sendable {
        var hash: UInt32
        /// -1 when empty.
        var slot: Int32
    }

    /// One table with linear probing; its size is a power of two.
    private struct Piece: Sendable {
        var cells: [Cell] = []
        var count = 0
    }

    private var groups: [[Piece]] = Array(repeating: [], count: 64)

    /// Mixes a key's parts into the number the other methods take. Seeded by the process, so that nobody can choose keys
    /// that all fall together.
    static func hash(_ key: some Hashable) -> UInt64 {
        var hasher = Hasher()
        hasher.combine(key)
        return UInt64(truncatingIfNeeded: Int64(hasher.finalize()))
    }

    /// - Parameter isSame: Whether the value under a number is the one looked for. Asked for few that are not.
    func find(_ hash: UInt64, _ isSame: (Int32) -> Bool) -> Int32? {
        let (group, index) = Self.place(hash)
        if groups[group].isEmpty || groups[group][index].count == 0 { return nil }
        let mask = groups[group][index].cells.count - 1
        let short = UInt32(truncatingIfNeeded: hash)
        var at = Int(short) & mask
        while true {
            let cell = groups[group][index].cells[at]
            if cell.slot < 0 { return nil }
            if cell.hash == short, isSame(cell.slot) { return cell.slot }
            at = (at + 1) & mask
        }
    }

    /// Fetches the place of a hash into the processor's cache. Several of these one after another wait together, several
    /// `find` one after the other.
    /// - Returns: something that depends on what was fetched.
    func glance(_ hash: UInt64) -> Int32 {
        let (group, index) = Self.place(hash)
        if groups[group].isEmpty || groups[group][index].count == 0 { return 0 }
        let mask = groups[group][index].cells.count - 1
        return groups[group][index].cells[Int(UInt32(truncatingIfNeeded: hash)) & mask].slot
    }

    /// Adds a number that is not there yet.
    mutating func insert(_ hash: UInt64, _ slot: Int32) {
        let (group, index) = Self.place(hash)
        if groups[group].isEmpty { groups[group] = Array(repeating: Piece(), count: 64) }
        Self.insert(Cell(hash: UInt32(truncatingIfNeeded: hash), slot: slot), into: &groups[group][index])
    }

    /// Removes a number that is there.
    mutating func remove(_ hash: UInt64, _ slot: Int32) {
        let (group, index) = Self.place(hash)
        if groups[group].isEmpty || groups[group][index].count == 0 { return }
        Self.remove(Cell(hash: UInt32(truncatingIfNeeded: hash), slot: slot), from: &groups[group][index])
    }

    private static func place(_ hash: UInt64) -> (group: Int, index: Int) {
        (Int(hash >> 58), Int((hash >> 52) & 63))
    }

    private static func insert(_ cell: Cell, into piece: inout Piece) {
        if (piece.count + 1) * 4 > piece.cells.count * 3 { grow(&piece) }
        let mask = piece.cells.count - 1
        var at = Int(cell.hash) & mask
        while piece.cells[at].slot >= 0 { at = (at + 1) & mask }
        piece.cells[at] = cell
        piece.count += 1
    }

    private static func grow(_ piece: inout Piece) {
        let old = piece.cells
        piece.cells = Array(repeating: Cell(hash: 0, slot: -1), count: max(4, old.count * 2))
        piece.count = 0
        for cell in old where cell.slot >= 0 { insert(cell, into: &piece) }
    }

    /// Closes the gap, so that no look-up ends at it too early.
    private static func remove(_ cell: Cell, from piece: inout Piece) {
        let mask = piece.cells.count - 1
        var gap = Int(cell.hash) & mask
        while piece.cells[gap].slot != cell.slot {
            if piece.cells[gap].slot < 0 { return }
            gap = (gap + 1) & mask
        }
        var at = gap
        while true {
            at = (at + 1) & mask
            let next = piece.cells[at]
            if next.slot < 0 { break }
            // It may move into the gap unless its own place lies after the gap.
            let home = Int(next.hash) & mask
            if (at - home) & mask >= (at - gap) & mask {
                piece.cells[gap] = next
                gap = at
            }
        }
        piece.cells[gap] = Cell(hash: 0, slot: -1)
        piece.count -= 1
        if piece.count == 0 { piece.cells = [] }
    }
}
