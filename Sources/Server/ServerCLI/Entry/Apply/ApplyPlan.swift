// SPDX-License-Identifier: Apache-2.0

import APIProtos
import CLISupport
import ServerAPI
import SwiftProtobuf

/// One field that will change.
struct FieldChange: Sendable, Hashable {
    let field: String
    let old: String
    let new: String
}

/// What has to be done so that an owner's entries are those declared. Pure: made of what was read.
struct ApplyPlan: Sendable {
    struct Update: Sendable {
        var wanted: Spire_Api_Types_Entry
        var stored: Spire_Api_Types_Entry
        var changes: [FieldChange]
        var mask: Spire_Api_Types_EntryMask
    }
    struct Replacement: Sendable {
        var wanted: Spire_Api_Types_Entry
        var stored: Spire_Api_Types_Entry
    }

    struct Options: Sendable {
        /// Deletes the owner's entries that are not declared.
        var prune = false
        /// Takes entries over that nobody owns and that are what is declared.
        var adopt = false
    }

    private(set) var creations: [Spire_Api_Types_Entry] = []
    private(set) var updates: [Update] = []
    private(set) var replacements: [Replacement] = []
    private(set) var deletions: [Spire_Api_Types_Entry] = []
    /// Owned, not declared, left alone.
    private(set) var kept: [Spire_Api_Types_Entry] = []
    private(set) var unchanged = 0
    private(set) var problems = ApplyProblems()
    /// Creations that only fit once an entry has been changed, by that entry's id.
    private var waiting: [String: [Spire_Api_Types_Entry]] = [:]

    /// - Parameters:
    ///   - owned: The owner's entries as they are.
    ///   - similar: For declared entries that are not there yet, by their id: the one that is the same, if any.
    init(
        declared: [DeclaredEntry], owner: String, owned: [Spire_Api_Types_Entry],
        similar: [String: Spire_Api_Types_Entry], options: Options
    ) {
        let stored = Dictionary(owned.map { ($0.id, $0) }) { $1 }
        let declaredIDs = Set(declared.map(\.entry.id))
        var replaced: Set<String> = []
        for item in declared {
            let wanted = item.entry
            if let present = stored[wanted.id] {
                let (changes, mask) = EntryComparison.changes(from: present, to: wanted)
                if changes.isEmpty {
                    unchanged += 1
                } else {
                    updates.append(Update(wanted: wanted, stored: present, changes: changes, mask: mask))
                }
                continue
            }
            guard let other = similar[wanted.id] else {
                creations.append(wanted)
                continue
            }
            switch EntryOwner.name(ofEntry: other.id) {
            case owner?:
                if declaredIDs.contains(other.id) {
                    creations.append(wanted)
                    waiting[other.id, default: []].append(wanted)
                } else if options.prune {
                    replacements.append(Replacement(wanted: wanted, stored: other))
                    replaced.insert(other.id)
                } else {
                    problems.add(
                        "\(item.place): the entry is there as \(other.id), which is declared no more; -prune replaces it")
                }
            case let name?:
                problems.add("\(item.place): the entry is there as \(other.id) and belongs to owner \"\(name)\"")
            case nil:
                if options.adopt {
                    replacements.append(Replacement(wanted: wanted, stored: other))
                } else {
                    problems.add("\(item.place): the entry is there as \(other.id), which nobody owns; -adopt takes it over")
                }
            }
        }
        for entry in owned where !declaredIDs.contains(entry.id) && !replaced.contains(entry.id) {
            if options.prune { deletions.append(entry) } else { kept.append(entry) }
        }
    }

    var count: Int { creations.count + updates.count + replacements.count + deletions.count }
    var isEmpty: Bool { count == 0 }

    typealias Change = Swiftspire_Server_Entryset_V1_Change

    /// What makes the state, in units that belong into one transaction: changes, then what becomes possible by them,
    /// then the rest of what is new. Deletions come apart, after all of it.
    var additions: [[Change]] {
        let coupled = Set(waiting.values.joined().map(\.id))
        var units: [[Change]] = updates.map { update in
            var unit = [
                Change.with {
                    $0.update = .with {
                        $0.entry = update.wanted
                        $0.inputMask = update.mask
                        $0.expectedRevision = update.stored.revisionNumber
                    }
                }
            ]
            unit += (waiting[update.stored.id] ?? []).map(Self.creation)
            return unit
        }
        units += replacements.map { replacement in
            [
                .with {
                    $0.replace = .with {
                        $0.entry = replacement.wanted
                        $0.replacedID = replacement.stored.id
                        $0.expectedRevision = replacement.stored.revisionNumber
                    }
                }
            ]
        }
        return units + creations.filter { !coupled.contains($0.id) }.map { [Self.creation($0)] }
    }

    var removals: [[Change]] {
        deletions.map { entry in
            [
                .with {
                    $0.delete = .with {
                        $0.id = entry.id
                        $0.expectedRevision = entry.revisionNumber
                    }
                }
            ]
        }
    }

    private static func creation(_ entry: Spire_Api_Types_Entry) -> Change { .with { $0.create = entry } }

    /// Units packed into requests of at most `size` changes, none torn apart.
    static func batches(_ units: [[Change]], size: Int) -> [[Change]] {
        var batches: [[Change]] = []
        var batch: [Change] = []
        for unit in units {
            if !batch.isEmpty, batch.count + unit.count > size {
                batches.append(batch)
                batch = []
            }
            batch += unit
        }
        return batch.isEmpty ? batches : batches + [batch]
    }
}

/// Compares what is declared with what is stored, field by field.
enum EntryComparison {
    typealias Entry = Spire_Api_Types_Entry

    static func changes(
        from stored: Entry, to wanted: Entry
    ) -> ([FieldChange], Spire_Api_Types_EntryMask) {
        var changes: [FieldChange] = []
        var mask = Spire_Api_Types_EntryMask()
        func compare(
            _ field: String, _ path: WritableKeyPath<Spire_Api_Types_EntryMask, Bool>, _ text: (Entry) -> String
        ) {
            let (old, new) = (text(stored), text(wanted))
            guard old != new else { return }
            mask[keyPath: path] = true
            changes.append(FieldChange(field: field, old: old, new: new))
        }
        compare("spiffe_id", \.spiffeID) { $0.spiffeID.text }
        compare("parent_id", \.parentID) { $0.parentID.text }
        compare("selectors", \.selectors) { list($0.selectors.map { "\($0.type):\($0.value)" }.sorted()) }
        compare("x509_svid_ttl", \.x509SvidTtl) { "\($0.x509SvidTtl)" }
        compare("jwt_svid_ttl", \.jwtSvidTtl) { "\($0.jwtSvidTtl)" }
        compare("federates_with", \.federatesWith) { list(Set($0.federatesWith.map(bareDomain)).sorted()) }
        compare("admin", \.admin) { "\($0.admin)" }
        compare("downstream", \.downstream) { "\($0.downstream)" }
        compare("expires_at", \.expiresAt) { "\($0.expiresAt)" }
        // The first name becomes the certificate's common name, so their order counts.
        compare("dns_names", \.dnsNames) { list($0.dnsNames) }
        compare("store_svid", \.storeSvid) { "\($0.storeSvid)" }
        compare("hint", \.hint) { GoText.quoted($0.hint) }
        compare("additional_attributes", \.additionalAttributes) { entry in
            let attributes = entry.additionalAttributes
            return list(
                (attributes.disableX509SvidPrefetch ? ["disable_x509_svid_prefetch"] : [])
                    + (attributes.jwtSvidIncludeJti ? ["jwt_svid_include_jti"] : []))
        }
        return (changes, mask)
    }

    /// Trust domains may be declared by name or by ID.
    private static func bareDomain(_ text: String) -> String {
        text.hasPrefix("spiffe://") ? String(text.dropFirst("spiffe://".count)) : text
    }

    /// Quoted, so that no value can look like two.
    private static func list(_ values: [String]) -> String {
        "[" + values.map(GoText.quoted).joined(separator: ", ") + "]"
    }
}
