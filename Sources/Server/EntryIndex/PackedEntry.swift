// SPDX-License-Identifier: Apache-2.0

import Datastore

/// An entry as the index keeps it: IDs and selectors by number, what few entries have in a box of its own.
struct PackedEntry: Sendable {
    var key = EntryKey.uuid(0, 0)
    /// Vertices of the tree.
    var spiffeID: Int32 = -1
    var parent: Int32 = -1
    /// Where in the parent's children the entry stands; for an alias, the selector it is filed under.
    var place: Int32 = -1
    var x509SVIDTTL: Int32 = 0
    var jwtSVIDTTL: Int32 = 0
    var flags: Flags = []
    var expiresAt: Int64 = 0
    var revisionNumber: Int64 = 0
    var createdAt: Int64 = 0
    /// In the order they were stored.
    var selectors: [Int32] = []
    var rest: Rest?

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
        let attributes: RegistrationEntry.AdditionalAttributes?

        /// - Returns: `nil` when the entry has none of it.
        init?(_ entry: RegistrationEntry) {
            if entry.federatesWith.isEmpty, entry.dnsNames.isEmpty, entry.hint.isEmpty,
                entry.additionalAttributes == nil
            {
                return nil
            }
            federatesWith = entry.federatesWith
            dnsNames = entry.dnsNames
            hint = entry.hint
            attributes = entry.additionalAttributes
        }
    }
}
