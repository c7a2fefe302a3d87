// SPDX-License-Identifier: Apache-2.0

/// Numbers, ascending and each once, in pieces, so that a change copies one piece when a copy is held elsewhere.
struct NumberSet: Sendable {
    private enum Storage: Sendable {
        case none
        case one(Int32)
        /// No piece is empty.
        case pieces([[Int32]])
    }

    private var storage = Storage.none
    private(set) var count = 0
    private static var pieceSize: Int { 512 }

    var isEmpty: Bool { count == 0 }

    func forEach(_ body: (Int32) -> Void) {
        switch storage {
        case .none: break
        case .one(let number): body(number)
        case .pieces(let pieces): for piece in pieces { for number in piece { body(number) } }
        }
    }

    func contains(_ number: Int32) -> Bool {
        switch storage {
        case .none: return false
        case .one(let one): return one == number
        case .pieces(let pieces):
            let piece = pieces[Self.piece(for: number, in: pieces)]
            let place = piece.place(of: number)
            return place < piece.count && piece[place] == number
        }
    }

    mutating func insert(_ number: Int32) {
        switch storage {
        case .none:
            storage = .one(number)
            count = 1
        case .one(let one):
            guard one != number else { return }
            storage = .pieces([[min(one, number), max(one, number)]])
            count = 2
        case .pieces(var pieces):
            // So that the array is changed in place.
            storage = .none
            defer { storage = .pieces(pieces) }
            let index = Self.piece(for: number, in: pieces)
            let place = pieces[index].place(of: number)
            if place < pieces[index].count, pieces[index][place] == number { return }
            pieces[index].insert(number, at: place)
            count += 1
            guard pieces[index].count > Self.pieceSize else { return }
            let half = pieces[index].count / 2
            let upper = Array(pieces[index][half...])
            pieces[index].removeLast(upper.count)
            pieces.insert(upper, at: index + 1)
        }
    }

    mutating func remove(_ number: Int32) {
        switch storage {
        case .none: break
        case .one(let one):
            guard one == number else { return }
            storage = .none
            count = 0
        case .pieces(var pieces):
            storage = .none
            defer { storage = pieces.isEmpty ? .none : .pieces(pieces) }
            let index = Self.piece(for: number, in: pieces)
            let place = pieces[index].place(of: number)
            guard place < pieces[index].count, pieces[index][place] == number else { return }
            pieces[index].remove(at: place)
            count -= 1
            if pieces[index].isEmpty { pieces.remove(at: index) }
        }
    }

    /// The last piece that begins at or before `number`, or the first.
    private static func piece(for number: Int32, in pieces: [[Int32]]) -> Int {
        var low = 0
        var high = pieces.count
        while low < high {
            let middle = (low + high) / 2
            if pieces[middle][0] <= number { low = middle + 1 } else { high = middle }
        }
        return max(0, low - 1)
    }
}

extension [Int32] {
    /// Where `number` stands, or would, in ascending numbers.
    func place(of number: Int32) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if self[middle] < number { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Whether ascending numbers contain `number`.
    func hasSorted(_ number: Int32) -> Bool {
        let place = place(of: number)
        return place < count && self[place] == number
    }
}

/// Up to three numbers without an array of their own, which is what most entries' selectors are; more in one.
enum NumberList: RandomAccessCollection, Sendable {
    case few(count: UInt8, Int32, Int32, Int32)
    case many([Int32])

    static var none: NumberList { .few(count: 0, -1, -1, -1) }

    /// - Parameter number: Called once for each of `items`, in order.
    init(_ items: Range<Int>, _ number: (Int) -> Int32) {
        if items.count > 3 {
            self = .many(items.map(number))
        } else {
            func at(_ index: Int) -> Int32 { index < items.count ? number(items.lowerBound + index) : -1 }
            self = .few(count: UInt8(items.count), at(0), at(1), at(2))
        }
    }

    var startIndex: Int { 0 }

    var endIndex: Int {
        switch self {
        case .few(let count, _, _, _): Int(count)
        case .many(let numbers): numbers.count
        }
    }

    subscript(index: Int) -> Int32 {
        switch self {
        case .many(let numbers): return numbers[index]
        case .few(_, let first, let second, let third): return index == 0 ? first : index == 1 ? second : third
        }
    }
}
