// SPDX-License-Identifier: Apache-2.0

import Datastore

/// Finds the entry with the same SPIFFE ID, parent and selectors.
///
/// Any one of the three may be shared by every entry there is (one parent for all, one SPIFFE ID on all nodes, one
/// selector for all), so the way in is chosen by looking how many rows each would visit, never by the planner.
struct SimilarEntry {
    let entry: RegistrationEntry
    let statements: EntryStatements
    let connection: any SQLConnection
    var comparesLoosely = false
    /// That many entries have this SPIFFE ID is known already.
    var isCommon = false

    /// Rows looked at before other ways in are considered.
    private static let probe: Int64 = 64

    /// - Returns: the row id. Sets `isCommon`.
    mutating func find() throws -> Int64? {
        var candidates: [Int64] = []
        if !isCommon {
            var seen: Int64 = 0
            try connection.query(
                statements.sameSPIFFEIDProbe, [.text(entry.spiffeID), .integer(Self.probe + 1)]
            ) { row in
                seen += 1
                if row.text(1, unless: entry.parentID) == entry.parentID { candidates.append(row.integer(0)) }
            }
            isCommon = seen > Self.probe
        }
        if isCommon { candidates = try candidatesByShortestWay() }
        for candidate in candidates where try hasSameSelectors(candidate) && hasSameIDs(candidate) { return candidate }
        return nil
    }

    /// Databases may find by IDs that differ in case.
    private func hasSameIDs(_ rowID: Int64) throws -> Bool {
        guard comparesLoosely else { return true }
        var isSame = false
        try connection.query(statements.byRowID, [.integer(rowID)]) { row in
            isSame = row.text(2) == entry.spiffeID && row.text(3) == entry.parentID
        }
        return isSame
    }

    private func candidatesByShortestWay() throws -> [Int64] {
        let spiffeID = SQLValue.text(entry.spiffeID)
        let parent = SQLValue.text(entry.parentID)
        var limit = Self.probe * 4
        while true {
            // A count that stays below the limit is a way in of at most that many rows.
            if try count(statements.sameParentCount, [parent], limit) < limit {
                return try connection.numbers(statements.sameByParent, [parent, spiffeID])
            }
            for selector in entry.selectors.prefix(16) {
                let values: [SQLValue] = [.text(selector.type), .text(selector.value)]
                if try count(statements.sameSelectorCount, values, limit) < limit {
                    return try connection.numbers(statements.sameBySelector, values + [spiffeID, parent])
                }
            }
            if try count(statements.sameSPIFFEIDCount, [spiffeID], limit) < limit {
                return try connection.numbers(statements.sameBySPIFFEID, [spiffeID, parent])
            }
            limit *= 8
        }
    }

    private func count(_ sql: String, _ values: [SQLValue], _ limit: Int64) throws -> Int64 {
        try connection.number(sql, values + [.integer(limit)]) ?? 0
    }

    private func hasSameSelectors(_ rowID: Int64) throws -> Bool {
        var count = 0
        var isSame = true
        try connection.query(statements.selectorsOfRow, [.integer(rowID)]) { row in
            guard isSame else { return }
            let selector = Selector(type: row.text(0), value: row.text(1))
            isSame = entry.selectors.contains(selector)
            count += 1
        }
        return isSame && count == Set(entry.selectors).count
    }
}
