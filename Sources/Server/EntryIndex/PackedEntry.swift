// SPDX-License-Identifier: Apache-2.0

import Datastore

/// An entry as the index keeps it: IDs and selectors by number, what few entries have in a box of its own.
struct PackedEntry: Sendable {
    var key = EntryKey.uuid(0, 0)
    /// Vertices of the tree.
    var spiffeID: Int32 = -1
    var parent: Int32 = -1
    /// Neighbours among the entries of the same parent.
    var siblings = Neighbours()
    /// Neighbours among the entries with the same SPIFFE ID.
    var twins = Neighbours()
    /// For an alias, the selector it is filed under.
    var anchor: Int32 = -1
    var x509SVIDTTL: Int32 = 0
    var jwtSVIDTTL: Int32 = 0
    /// In the order they were stored.
    var selectors = NumberList.none
    var flags: Flags = []
    var revisionNumber: Int64 = 0
    var createdAt: Int64 = 0
    var rest: Rest?

    /// Takes over all but the entry's id and its place in the tree.
    /// - Parameter records: What the entry is one of.
    mutating func fill(from entry: EntryRecords.Record, of records: EntryRecords, selectors numbers: NumberList) {
        flags.formIntersection(.alias)
        if entry.admin { flags.insert(.admin) }
        if entry.downstream { flags.insert(.downstream) }
        if entry.storeSVID { flags.insert(.storeSVID) }
        x509SVIDTTL = entry.x509SVIDTTL
        jwtSVIDTTL = entry.jwtSVIDTTL
        revisionNumber = entry.revisionNumber
        createdAt = entry.createdAt
        selectors = numbers
        rest = Rest(entry, of: records)
    }

    /// Places in a doubly linked list through the entries; -1 for none.
    struct Neighbours: Sendable {
        var previous: Int32 = -1
        var next: Int32 = -1
    }

    struct Flags: OptionSet, Sendable {
        let rawValue: UInt8
        static let admin = Flags(rawValue: 1)
        static let downstream = Flags(rawValue: 2)
        static let storeSVID = Flags(rawValue: 4)
        /// Its parent is the server: it names nodes instead of workloads.
        static let alias = Flags(rawValue: 8)
    }

    final class Rest: Sendable {
        let federatesWith: [String]
        let dnsNames: [String]
        let hint: String
        let expiresAt: Int64
        let attributes: RegistrationEntry.AdditionalAttributes?

        /// - Returns: `nil` when the entry has none of it.
        init?(_ entry: EntryRecords.Record, of records: EntryRecords) {
            if entry.federatesWith.isEmpty, entry.dnsNames.isEmpty, entry.hint.isEmpty, entry.expiresAt == 0,
                entry.additionalAttributes == nil
            {
                return nil
            }
            federatesWith = records.texts(entry.federatesWith)
            dnsNames = records.texts(entry.dnsNames)
            hint = records.text(entry.hint)
            expiresAt = entry.expiresAt
            attributes = entry.additionalAttributes
        }
    }
}
