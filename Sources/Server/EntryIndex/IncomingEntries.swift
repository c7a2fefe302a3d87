// SPDX-License-Identifier: Apache-2.0

import Datastore

/// Entries with what can be told of them without the tree: worked out by whoever reads them, while the tree takes others.
struct IncomingEntries: Sendable {
    struct Facts: Sendable {
        let key: EntryKey
        /// Of `key`.
        let hash: UInt64
        /// SPIFFE ID and parent are of the trust domain.
        let isOurs: Bool
        /// Of the SPIFFE ID's path, if it is one.
        let pathHash: UInt64
    }

    let records: EntryRecords
    /// Of each record.
    let facts: [Facts]
    /// Of each of the records' selectors.
    let selectorHashes: [UInt64]

    /// - Parameter domain: Of the tree they are for.
    init(_ records: EntryRecords, _ domain: OwnDomain) {
        self.records = records
        selectorHashes = unsafe records.withBytes { bytes in
            records.selectors.map { selector in
                unsafe PackedTexts.Text(selector.type.bytes(in: bytes), selector.value.bytes(in: bytes)).hash
            }
        }
        facts = unsafe records.withBytes { bytes in
            records.records.map { record in
                let key = unsafe EntryKey(record.id.bytes(in: bytes))
                let spiffeID = unsafe record.spiffeID.bytes(in: bytes)
                let isOurs = unsafe domain.contains(spiffeID) && domain.contains(record.parentID.bytes(in: bytes))
                return unsafe Facts(
                    key: key, hash: SlotFinder.hash(key), isOurs: isOurs,
                    pathHash: isOurs ? domain.path(of: spiffeID).hash : 0)
            }
        }
    }
}
