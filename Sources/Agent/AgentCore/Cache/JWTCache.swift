// SPDX-License-Identifier: Apache-2.0

package import FoundationEssentials

/// A JWT-SVID as the server signed it.
package struct WorkloadJWT: Sendable, Hashable {
    package let token: String
    package let issuedAt: Date
    package let expiresAt: Date
    package init(token: String, issuedAt: Date, expiresAt: Date) {
        self.token = token
        self.issuedAt = issuedAt
        self.expiresAt = expiresAt
    }
}

/// JWT-SVIDs by identity and audience. Never more than the limit: the one unused longest makes room.
package struct JWTCache {
    package struct Key: Sendable, Hashable {
        let spiffeID: String
        let audience: [[UInt8]]

        /// The order of `audience` does not matter, each byte of it does.
        package init(spiffeID: String, audience: [String]) {
            self.spiffeID = spiffeID
            self.audience = audience.map { Array($0.utf8) }.sorted { $0.lexicographicallyPrecedes($1) }
        }
    }

    private struct Node {
        var key: Key
        var value: WorkloadJWT
        var newer: Int
        var older: Int
    }

    private static let none = -1
    private let limit: Int
    private var places: [Key: Int] = [:]
    private var nodes: [Node] = []
    private var free: [Int] = []
    private var newest = JWTCache.none
    private var oldest = JWTCache.none

    /// - Parameter limit: At least 1.
    package init(limit: Int) { self.limit = max(1, limit) }

    package var count: Int { places.count }

    /// Finds a token and makes it the most recently used.
    package mutating func lookup(_ key: Key) -> WorkloadJWT? {
        guard let place = places[key] else { return nil }
        detach(place)
        attachNewest(place)
        return nodes[place].value
    }

    package mutating func insert(_ value: WorkloadJWT, for key: Key) {
        if let place = places[key] {
            nodes[place].value = value
            detach(place)
            attachNewest(place)
            return
        }
        if places.count >= limit, oldest != Self.none { remove(nodes[oldest].key) }
        let node = Node(key: key, value: value, newer: Self.none, older: Self.none)
        let place: Int
        if let reused = free.popLast() {
            place = reused
            nodes[place] = node
        } else {
            place = nodes.count
            nodes.append(node)
        }
        places[key] = place
        attachNewest(place)
    }

    /// Removes every token `isBad` holds for, and says how many there were.
    package mutating func removeAll(where isBad: (WorkloadJWT) -> Bool) -> Int {
        let bad = places.filter { isBad(nodes[$0.value].value) }.map(\.key)
        for key in bad { remove(key) }
        return bad.count
    }

    private mutating func remove(_ key: Key) {
        guard let place = places.removeValue(forKey: key) else { return }
        detach(place)
        free.append(place)
    }

    private mutating func detach(_ place: Int) {
        let (newer, older) = (nodes[place].newer, nodes[place].older)
        if newer == Self.none { newest = older } else { nodes[newer].older = older }
        if older == Self.none { oldest = newer } else { nodes[older].newer = newer }
    }

    private mutating func attachNewest(_ place: Int) {
        nodes[place].newer = Self.none
        nodes[place].older = newest
        if newest != Self.none { nodes[newest].newer = place }
        newest = place
        if oldest == Self.none { oldest = place }
    }
}
