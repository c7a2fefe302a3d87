// SPDX-License-Identifier: Apache-2.0

import Datastore

/// An entry with what can be told of it without the tree: worked out by whoever reads it, while the tree takes others.
struct IncomingEntry: Sendable {
    let entry: RegistrationEntry
    let key: EntryKey
    /// Of `key`.
    let hash: UInt64
    /// SPIFFE ID and parent are of the trust domain.
    let isOurs: Bool
    /// Of the SPIFFE ID's path, if it is one.
    let pathHash: UInt64

    /// - Parameter domain: Of the tree it is for.
    init(_ entry: RegistrationEntry, _ domain: OwnDomain) {
        self.entry = entry
        key = EntryKey(entry.id)
        hash = SlotFinder.hash(key)
        isOurs = domain.contains(entry.spiffeID) && domain.contains(entry.parentID)
        pathHash = isOurs ? domain.withPath(of: entry.spiffeID) { $0.hash } : 0
    }
}

/// The trust domain whose entries a tree holds.
struct OwnDomain: Sendable {
    /// `spiffe://<trust domain>`.
    let prefix: String

    init(_ trustDomain: String) { prefix = "spiffe://" + trustDomain }

    /// - Parameter id: Of this trust domain.
    func withPath<Result>(of id: String, _ body: (PackedTexts.Text) -> Result) -> Result {
        PackedTexts.Text.with(id, from: prefix.utf8.count, body)
    }

    /// The path of an ID of this trust domain; `nil` for another's and for what is no SPIFFE ID.
    func path(of id: String) -> String? {
        contains(id) ? String(Substring(id.utf8.dropFirst(prefix.utf8.count))) : nil
    }

    /// Whether a text is a SPIFFE ID of this trust domain.
    ///
    /// > Spec: SPIFFE-ID §2.2.
    func contains(_ id: String) -> Bool {
        var (id, prefix) = (id, prefix)
        return id.withUTF8 { id in
            prefix.withUTF8 { prefix in
                unsafe id.starts(with: prefix) && Self.isPath(UnsafeBufferPointer(rebasing: id.dropFirst(prefix.count)))
            }
        }
    }

    private static func isPath(_ path: UnsafeBufferPointer<UInt8>) -> Bool {
        guard let last = unsafe path.last else { return true }
        guard unsafe path[0] == UInt8(ascii: "/"), last != UInt8(ascii: "/") else { return false }
        var length = 0
        var dots = 0
        for unsafe byte in unsafe path.dropFirst() {
            switch byte {
            case UInt8(ascii: "/"):
                if length == 0 || (dots == length && length <= 2) { return false }
                length = 0
                dots = 0
                continue
            case UInt8(ascii: "."): dots += 1
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
                break
            default: return false
            }
            length += 1
        }
        return !(dots == length && length <= 2)
    }
}
