// SPDX-License-Identifier: Apache-2.0

import Crypto
import Issuance
import ServerAPI

/// What tells an owner's entries apart. It must outlive every change of an entry, so that a change is a change and not
/// a deletion and a creation.
enum ApplyKey: Sendable, Hashable, CustomStringConvertible {
    case name(String)
    case ids(spiffeID: String, parentID: String)

    var isName: Bool { if case .name = self { true } else { false } }

    var description: String {
        switch self {
        case .name(let name): "the name \"\(name)\""
        case .ids(let spiffeID, let parentID): "\(spiffeID) under \(parentID)"
        }
    }

    /// The entry's id: the same in every run and on every server.
    func entryID(owner: String) -> String {
        let parts: [String] =
            switch self {
            case .name(let name): ["name", name]
            case .ids(let spiffeID, let parentID): ["ids", spiffeID, parentID]
            }
        let digest = SHA256.hash(data: Array(parts.joined(separator: "\0").utf8))
        return EntryOwner.prefix(owner) + Hex.text(Array(digest.prefix(16)))
    }
}
