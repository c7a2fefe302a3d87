// SPDX-License-Identifier: Apache-2.0

import Datastore

/// Names for what must not be made twice at once by different servers, where no unique index says so.
enum SerialKey {
    static let schema = key("schema", [])

    static func bundle(_ trustDomainID: String) -> UInt64 { key("bundle", [trustDomainID]) }
    static func node(_ id: String) -> UInt64 { key("node", [id]) }

    /// The same for entries that count as similar.
    static func entry(_ entry: RegistrationEntry) -> UInt64 {
        let selectors = Set(entry.selectors).sorted().flatMap { [$0.type, $0.value] }
        return key("entry", [entry.spiffeID, entry.parentID] + selectors)
    }

    /// FNV-1a over the parts with their lengths: the same in every process and release. Two names with one key merely
    /// wait for one another.
    private static func key(_ kind: String, _ parts: [String]) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        func mix(_ byte: UInt8) { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        for part in ["spire", kind] + parts {
            for byte in part.utf8 { mix(byte) }
            mix(0xff)
        }
        return hash
    }
}
