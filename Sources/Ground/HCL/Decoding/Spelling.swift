// SPDX-License-Identifier: Apache-2.0

/// Finds the word somebody meant.
enum Spelling {
    /// The candidate nearest to `word`, if it is near enough to be a slip: at most a third of its letters differ.
    static func nearest(to word: String, among candidates: [String]) -> String? {
        let written = Array(word.lowercased().utf8)
        guard !written.isEmpty, written.count <= 64 else { return nil }
        var best: (distance: Int, candidate: String)?
        for candidate in candidates {
            let distance = distance(written, Array(candidate.lowercased().utf8))
            if distance <= max(1, written.count / 3), distance < best?.distance ?? .max { best = (distance, candidate) }
        }
        return best?.candidate
    }

    /// Edits that turn one word into the other: letters added, dropped, changed or swapped with their neighbour.
    static func distance(_ a: [UInt8], _ b: [UInt8]) -> Int {
        guard abs(a.count - b.count) <= 32 else { return .max }
        var older: [Int] = []
        var previous = Array(0...b.count)
        for i in 0..<a.count {
            var row = [i + 1]
            row.reserveCapacity(b.count + 1)
            for j in 0..<b.count {
                var cost = min(previous[j] + (a[i] == b[j] ? 0 : 1), previous[j + 1] + 1, row[j] + 1)
                if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { cost = min(cost, older[j - 1] + 1) }
                row.append(cost)
            }
            older = previous
            previous = row
        }
        return previous[b.count]
    }
}
