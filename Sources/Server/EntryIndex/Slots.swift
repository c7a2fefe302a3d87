// SPDX-License-Identifier: Apache-2.0

/// Values under small numbers that are used again after removal.
///
/// Kept in pieces of pieces, so that changing a value while a copy of the whole is held elsewhere copies a few kilobytes
/// whatever the number of values.
struct Slots<Value: Sendable>: Sendable {
    private var groups: [[ContiguousArray<Value>]] = []
    private var free = NumberStack()
    private var used: Int32 = 0

    private static var bits: Int32 { 6 }
    private static var mask: Int32 { 63 }

    var count: Int { Int(used) - free.count }

    subscript(slot: Int32) -> Value {
        _read {
            yield groups[Int(slot >> (2 * Self.bits))][Int((slot >> Self.bits) & Self.mask)][Int(slot & Self.mask)]
        }
        _modify {
            yield &groups[Int(slot >> (2 * Self.bits))][Int((slot >> Self.bits) & Self.mask)][Int(slot & Self.mask)]
        }
    }

    /// Every slot ever used, removed ones included.
    var slots: Range<Int32> { 0..<used }

    mutating func add(_ value: Value) -> Int32 {
        if let slot = free.pop() {
            self[slot] = value
            return slot
        }
        let slot = used
        used += 1
        let group = Int(slot >> (2 * Self.bits))
        if group == groups.count { groups.append([]) }
        if slot & Self.mask == 0 {
            groups[group].append([])
            groups[group][groups[group].count - 1].reserveCapacity(Int(Self.mask) + 1)
        }
        groups[group][groups[group].count - 1].append(value)
        return slot
    }

    /// - Parameter empty: Put in place of the value, to let go of what it holds.
    mutating func remove(_ slot: Int32, empty: Value) {
        self[slot] = empty
        free.push(slot)
    }
}

/// A stack of numbers in pieces, for the same reason.
private struct NumberStack: Sendable {
    private var pieces: [[Int32]] = []
    private(set) var count = 0
    private static var pieceSize: Int { 512 }

    mutating func push(_ number: Int32) {
        if count % Self.pieceSize == 0 { pieces.append([]) }
        pieces[pieces.count - 1].append(number)
        count += 1
    }

    mutating func pop() -> Int32? {
        guard count > 0 else { return nil }
        count -= 1
        let number = pieces[pieces.count - 1].removeLast()
        if pieces[pieces.count - 1].isEmpty { pieces.removeLast() }
        return number
    }
}
