// SPDX-License-Identifier: Apache-2.0

import APIProtos

/// The order entries are shown in.
enum EntryOrder {
    /// By SPIFFE ID, parent ID, X.509 TTL, JWT TTL, number of selectors, selectors. Each entry's selectors are sorted too.
    static func sorted(_ entries: [Spire_Api_Types_Entry]) -> [Spire_Api_Types_Entry] {
        var keyed = entries.map { entry in
            var entry = entry
            if entry.selectors.count > 1 {
                entry.selectors.sort { ($0.type, $0.value) < ($1.type, $1.value) }
            }
            return (key: Key(entry), entry: entry)
        }
        keyed.sort { $0.key < $1.key }
        return keyed.map(\.entry)
    }

    /// Taken out of the message once: reading a message's fields during the sort costs more than the comparison.
    private struct Key: Comparable {
        let trustDomain: String
        let path: String
        let parentTrustDomain: String
        let parentPath: String
        let x509TTL: Int32
        let jwtTTL: Int32
        let selectors: [Spire_Api_Types_Selector]

        init(_ entry: Spire_Api_Types_Entry) {
            let id = entry.spiffeID
            let parent = entry.parentID
            trustDomain = id.trustDomain
            path = id.path
            parentTrustDomain = parent.trustDomain
            parentPath = parent.path
            x509TTL = entry.x509SvidTtl
            jwtTTL = entry.jwtSvidTtl
            selectors = entry.selectors
        }

        static func < (a: Key, b: Key) -> Bool {
            if a.trustDomain != b.trustDomain { return a.trustDomain < b.trustDomain }
            if a.path != b.path { return a.path < b.path }
            if a.parentTrustDomain != b.parentTrustDomain { return a.parentTrustDomain < b.parentTrustDomain }
            if a.parentPath != b.parentPath { return a.parentPath < b.parentPath }
            if a.x509TTL != b.x509TTL { return a.x509TTL < b.x509TTL }
            if a.jwtTTL != b.jwtTTL { return a.jwtTTL < b.jwtTTL }
            if a.selectors.count != b.selectors.count { return a.selectors.count < b.selectors.count }
            for (left, right) in zip(a.selectors, b.selectors) {
                if left.type != right.type { return left.type < right.type }
                if left.value != right.value { return left.value < right.value }
            }
            return false
        }
    }
}
