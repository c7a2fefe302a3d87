// SPDX-License-Identifier: Apache-2.0

package import Datastore

/// Answers which entries an agent is authorized for.
package protocol AuthorizedEntries: Sendable {
    /// The entries the agent may obtain identities of, without node aliases. Order unspecified.
    func authorizedEntries(agentID: String) async throws -> [RegistrationEntry]
    /// Those of `ids` the agent is authorized for, by entry id.
    func authorizedEntries(agentID: String, ids: Set<String>) async throws -> [String: RegistrationEntry]
    /// The same set as it is now, to be written out piece by piece.
    func authorizedSet(agentID: String) async throws -> AuthorizedSet
}

extension AuthorizedEntries {
    package func authorizedSet(agentID: String) async throws -> AuthorizedSet {
        AuthorizedSet(try await authorizedEntries(agentID: agentID))
    }
}

/// The entries an agent is authorized for at one moment. Later changes do not touch it; entries are written out when asked
/// for, so that holding a large set costs four bytes an entry.
package struct AuthorizedSet: Sendable {
    private enum Storage: Sendable {
        case tree(AuthorizationTree, [Int32])
        case list([RegistrationEntry])
    }

    private let storage: Storage

    init(_ tree: AuthorizationTree, _ slots: [Int32]) { storage = .tree(tree, slots) }

    package init(_ entries: [RegistrationEntry]) { storage = .list(entries) }

    package var count: Int {
        switch storage {
        case .tree(_, let slots): slots.count
        case .list(let entries): entries.count
        }
    }

    /// Entries by their place in `0..<count`.
    package func entries(_ range: Range<Int>) -> [RegistrationEntry] {
        switch storage {
        case .tree(let tree, let slots): tree.unpacked(slots[range])
        case .list(let entries): Array(entries[range])
        }
    }

    /// The same for the many.
    package func records(_ range: Range<Int>) -> EntryRecords {
        switch storage {
        case .tree(let tree, let slots): tree.records(slots[range])
        case .list(let entries): EntryRecords(Array(entries[range]))
        }
    }

    /// What tells versions of an entry apart.
    package func version(_ place: Int) -> (id: String, revision: Int64, createdAt: Int64) {
        switch storage {
        case .tree(let tree, let slots):
            let packed = tree.entries[slots[place]]
            return (packed.key.text, packed.revisionNumber, packed.createdAt)
        case .list(let entries):
            let entry = entries[place]
            return (entry.id, entry.revisionNumber, entry.createdAt)
        }
    }

    /// Places of the entries by id.
    package func places() -> [String: Int] {
        var places: [String: Int] = [:]
        places.reserveCapacity(count)
        for place in 0..<count { places[version(place).id] = place }
        return places
    }

    /// Trust domain IDs that any of the entries federates with.
    package var federatedDomains: Set<String> {
        var domains: Set<String> = []
        switch storage {
        case .tree(let tree, let slots):
            for slot in slots {
                if let rest = tree.entries[slot].rest { domains.formUnion(rest.federatesWith) }
            }
        case .list(let entries):
            for entry in entries { domains.formUnion(entry.federatesWith) }
        }
        return domains
    }

    package var digest: SetDigest {
        switch storage {
        case .tree(let tree, let slots): return tree.digest(of: slots)
        case .list(let entries):
            var digest = SetDigest()
            for entry in entries {
                digest.add(EntryKey(entry.id), revision: entry.revisionNumber, createdAt: entry.createdAt)
            }
            return digest
        }
    }
}
