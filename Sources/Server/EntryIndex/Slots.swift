// SPDX-License-Identifier: Apache-2.0

/// Values under small numbers that are used again after removal.
///
/// Kept in pieces, so that changing a value while a copy of the whole is held elsewhere copies one piece only.
struct Slots<Value: Sendable>: Sendable {
    private var pieces: [ContiguousArray<Value>] = []
    private var free: [Int32] = []
    private var used: Int32 = 0

    private static var bits: Int32 { 8 }
    private static var mask: Int32 { 255 }

    var count: Int { Int(used) - free.count }

    subscript(slot: Int32) -> Value {
        _read { yield pieces[Int(slot >> Self.bits)][Int(slot & Self.mask)] }
        _modify { yield &pieces[Int(slot >> Self.bits)][Int(slot & Self.mask)] }
    }

    /// Every slot ever used, removed ones included.
    var slots: Range<Int32> { 0..<used }

    mutating func add(_ value: Value) -> Int32 {
        if let slot = free.popLast() {
            self[slot] = value
            return slot
        }
        let slot = used
        used += 1
        if slot & Self.mask == 0 {
            pieces.append([])
            pieces[pieces.count - 1].reserveCapacity(Int(Self.mask) + 1)
        }
        pieces[pieces.count - 1].append(value)
        return slot
    }

    /// - Parameter empty: Put in place of the value, to let go of what it holds.
    mutating func remove(_ slot: Int32, empty: Value) {
        self[slot] = empty
        free.append(slot)
    }
}
