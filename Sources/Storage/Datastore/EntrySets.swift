// SPDX-License-Identifier: Apache-2.0

package import Groundwork

/// One change of an entry that happens only if the entry is still what the caller believes it to be.
package enum EntryChange: Sendable, Equatable {
    case create(RegistrationEntry)
    case update(RegistrationEntry, fields: EntryFields, expectedRevision: Int64)
    case delete(id: String, expectedRevision: Int64)
    /// Deletes one entry and creates another in its place.
    case replace(id: String, expectedRevision: Int64, with: RegistrationEntry)
}

/// What a change came to.
package enum EntryChangeOutcome: Sendable, Hashable {
    /// The entry as it is now, or as it was when deleted.
    case done(RegistrationEntry)
    /// Nothing was changed: another entry has the same SPIFFE ID, parent and selectors.
    case similar(RegistrationEntry)
    /// Nothing was changed: the entry has another revision by now.
    case stale(RegistrationEntry)
    /// Nothing was changed: the entry is not there any more.
    case gone
}

/// Whose changes they are, and whether they may still be made.
package struct EntrySetTurn: Sendable, Hashable {
    package var owner: String
    package var generation: Int64
    package init(owner: String, generation: Int64) {
        self.owner = owner
        self.generation = generation
    }
}

/// Sets of entries kept as one declared state by an owner. An entry belongs to the owner its id begins with.
package protocol EntrySetStore: Sendable {
    /// Starts a new turn of the owner and ends every earlier one.
    /// - Returns: its generation.
    func beginEntrySet(owner: String) async throws -> Int64
    /// Entries whose id begins with `prefix` (letters, digits, dots and hyphens only), in pages by row.
    func listEntries(idPrefix prefix: String, page: PageRequest) async throws -> Page<RegistrationEntry>
    /// For each entry the stored one with the same SPIFFE ID, parent and selectors; `nil` where there is none.
    func similarEntries(_ entries: [RegistrationEntry]) async throws -> [RegistrationEntry?]
    /// Makes changes in one transaction, each on its own terms.
    /// - Parameter turn: `nil` for changes that are nobody's set.
    /// - Throws: `entry_set.superseded` when the turn is over; nothing has been changed then.
    func changeEntries(
        _ changes: [EntryChange], turn: EntrySetTurn?
    ) async throws -> [Result<EntryChangeOutcome, SpireError>]
}

extension SpireError.Code {
    /// A later turn of the same owner has begun.
    package static let entrySetSuperseded = SpireError.Code("entry_set.superseded", wire: .aborted)
}
