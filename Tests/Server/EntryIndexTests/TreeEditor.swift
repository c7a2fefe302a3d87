// SPDX-License-Identifier: Apache-2.0

import Datastore
import TestKit

@testable import EntryIndex

extension AuthorizationTree {
    mutating func set(_ entry: RegistrationEntry) {
        var concern = Concern.ignored()
        set(entry, &concern)
    }

    mutating func removeEntry(id: String) {
        var concern = Concern.ignored()
        remove(EntryKey(id), &concern)
    }

    mutating func setAgent(id: String, expiresAt: Int64, selectors: [Selector]) {
        var concern = Concern.ignored()
        setAgent(id: id, expiresAt: expiresAt, selectors: selectors, &concern)
    }

    mutating func removeAgent(id: String) {
        var concern = Concern.ignored()
        removeAgent(id: id, &concern)
    }
}

/// One edit of entries or agents.
enum Edit: Sendable {
    case set(RegistrationEntry)
    case remove(String)
    case setAgent(String, expiresAt: Int64, [Selector])
    case removeAgent(String)
}

/// Makes random edits of a small world, in which everything meets everything: deep trees, loops, aliases, agents whose ID
/// is also a parent, entries that move.
struct TreeEditor {
    static let paths = (0..<14).map { "/n\($0)" } + ["/spire/server"]
    let random: SeededRandom

    init(seed: UInt64) { random = SeededRandom(seed: seed &* 7919 &+ 1) }

    static func id(_ path: String) -> String { "spiffe://example.org" + path }

    func pick(_ count: Int) -> Int { Int(random.next() % UInt64(count)) }

    private func selectors(_ most: Int) -> [Selector] {
        Set((0...pick(most)).map { _ in Selector(type: "t", value: "s\(pick(6))") }).sorted()
    }

    /// - Parameter current: An entry that is there already, so that edits of its content happen too.
    func next(_ current: (String) -> RegistrationEntry?) -> Edit {
        switch pick(10) {
        case 0...3:
            var entry = RegistrationEntry.sample(
                Self.paths[pick(14)], parent: pick(5) == 0 ? "/spire/server" : Self.paths[pick(15)],
                id: "e\(pick(40))")
            if pick(20) == 0 { entry.parentID = "spiffe://other.org/n1" }
            entry.selectors = selectors(3)
            entry.revisionNumber = Int64(pick(1_000_000))
            return .set(entry)
        case 4...5:
            let id = "e\(pick(40))"
            guard var entry = current(id) else { return .remove(id) }
            entry.revisionNumber += 1
            entry.hint = pick(2) == 0 ? "" : "hint"
            if pick(3) == 0 { entry.selectors = selectors(3) }
            return .set(entry)
        case 6...7: return .remove("e\(pick(40))")
        case 8: return .setAgent(Self.id(Self.paths[pick(14)]), expiresAt: Int64(pick(3)), selectors(5))
        default: return .removeAgent(Self.id(Self.paths[pick(14)]))
        }
    }
}

extension SlowAuthorization {
    mutating func apply(_ edit: Edit) {
        switch edit {
        case .set(let entry): entries[entry.id] = entry
        case .remove(let id): entries[id] = nil
        case .setAgent(let id, let expiresAt, let selectors): agents[id] = (expiresAt, selectors)
        case .removeAgent(let id): agents[id] = nil
        }
    }
}

extension AuthorizationTree {
    mutating func apply(_ edit: Edit, _ concern: inout Concern) {
        switch edit {
        case .set(let entry): set(entry, &concern)
        case .remove(let id): remove(EntryKey(id), &concern)
        case .setAgent(let id, let expiresAt, let selectors):
            setAgent(id: id, expiresAt: expiresAt, selectors: selectors, &concern)
        case .removeAgent(let id): removeAgent(id: id, &concern)
        }
    }
}
