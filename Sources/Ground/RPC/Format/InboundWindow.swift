// SPDX-License-Identifier: Apache-2.0

import DequeModule

/// Decides how much more a peer may send on one stream.
///
/// A stream may always have `target` bytes waiting in this process. A message larger than that needs a reservation from
/// the connection's `AssemblyBudget`, after which the rest of it is asked for at once.
enum InboundWindow {
    static let target = 65_535

    /// Returns the increment to announce now; 0 for none.
    ///
    /// - Parameters:
    ///   - window: What the peer may send as of now.
    ///   - waiting: Bytes received that nobody has consumed, those of a reserved message excluded.
    ///   - missing: Bytes a reserved message still lacks; 0 without reservation.
    static func increment(window: Int, waiting: Int, missing: Int) -> Int {
        if missing > window { return missing - window }
        let room = target - waiting
        return window <= target / 2 && room - window >= target / 4 ? room - window : 0
    }
}

/// Shares out the memory for large messages of one connection, first come first served, so that each message that was
/// let in can be completed and a peer cannot make us hold more.
struct AssemblyBudget<ID: Hashable & Sendable> {
    private let capacity: Int
    private var granted: [ID: Int] = [:]
    private var used = 0
    private var queue: Deque<(id: ID, bytes: Int)> = []

    init(capacity: Int) { self.capacity = capacity }

    /// Asks for `bytes`. A request above the capacity is treated as the whole capacity.
    /// - Returns: Whether they are granted now; otherwise `release` names the stream later.
    mutating func reserve(_ id: ID, _ bytes: Int) -> Bool {
        if granted[id] != nil { return true }
        if queue.contains(where: { $0.id == id }) { return false }
        let wanted = min(bytes, capacity)
        guard queue.isEmpty, used + wanted <= capacity else {
            queue.append((id, wanted))
            return false
        }
        granted[id] = wanted
        used += wanted
        return true
    }

    /// Gives back what `id` had or waited for.
    /// - Returns: The streams whose turn has come.
    mutating func release(_ id: ID) -> [ID] {
        if let bytes = granted.removeValue(forKey: id) {
            used -= bytes
        } else if !queue.isEmpty {
            queue.removeAll { $0.id == id }
        } else {
            return []
        }
        var turn: [ID] = []
        while let first = queue.first, used + first.bytes <= capacity {
            queue.removeFirst()
            granted[first.id] = first.bytes
            used += first.bytes
            turn.append(first.id)
        }
        return turn
    }

    /// Whether `id` has what it asked for.
    func isGranted(_ id: ID) -> Bool { granted[id] != nil }
    /// Whether nothing is reserved: the usual case, tested before anything dearer.
    var isIdle: Bool { used == 0 && queue.isEmpty }
}
