// SPDX-License-Identifier: Apache-2.0

import APIProtos
package import Datastore
package import Groundwork
package import RPC
package import SPIFFE

/// What a scoped administrator may do, and with which entries. Whatever is not named is refused.
package struct AdminScope: Sendable, Hashable {
    package enum Verb: String, Sendable, Hashable, CaseIterable {
        /// List, count and fetch entries.
        case read
        case create, update, delete
        case mintX509 = "mint_x509"
        case mintJWT = "mint_jwt"
        case mintWIT = "mint_wit"
    }

    package var verbs: Set<Verb>
    /// Of the SPIFFE IDs of entries, and of those minted.
    package var spiffeIDs: [PathPrefix]
    /// Of the parent IDs of entries.
    package var parentIDs: [PathPrefix]
    /// Every entry has all of them.
    package var requiredSelectors: [Selector] = []
    /// Names as they are, or `*.` with a domain for every name below it. In lower case.
    package var dnsNames: [String] = []
    package var federatesWith: Set<TrustDomain> = []
    /// Identities that carry rights by configuration: never to be had, wherever they lie.
    package var protectedIDs: Set<SPIFFEID> = []

    package init(verbs: Set<Verb>, spiffeIDs: [PathPrefix], parentIDs: [PathPrefix]) {
        self.verbs = verbs
        self.spiffeIDs = spiffeIDs
        self.parentIDs = parentIDs
    }

    /// The whole list of methods a scoped administrator may call as one. Their handlers keep the scope; no other does.
    private static let methods: [String: Verb] = [
        EntryMethods.listEntries.path.description: .read, EntryMethods.countEntries.path.description: .read,
        EntryMethods.getEntry.path.description: .read, EntryMethods.batchCreateEntry.path.description: .create,
        EntryMethods.batchUpdateEntry.path.description: .update,
        EntryMethods.batchDeleteEntry.path.description: .delete,
        SVIDMethods.mintX509SVID.path.description: .mintX509, SVIDMethods.mintJWTSVID.path.description: .mintJWT,
        SVIDMethods.mintWITSVID.path.description: .mintWIT,
    ]

    package func permits(_ method: MethodPath) -> Bool {
        Self.methods[method.description].map(verbs.contains) ?? false
    }
}

extension AdminScope {
    /// A path and what is below it, by whole segments: `/a` is `/a` and `/a/b`, and never `/ab`. With a slash at its
    /// end, only what is below.
    package struct PathPrefix: Sendable, Hashable, CustomStringConvertible {
        package let description: String
        private let path: String
        private let onlyBelow: Bool

        /// - Throws: `invalid_argument` with the rule that is broken.
        package init(_ text: String) throws(SpireError) {
            description = text
            onlyBelow = text.hasSuffix("/")
            path = onlyBelow ? String(text.dropLast()) : text
            // The trust domain does not matter here: the path's own rules do.
            guard text.hasPrefix("/"), path.isEmpty || (try? SPIFFEID("spiffe://x" + path)) != nil else {
                throw SpireError(
                    .invalid,
                    "\"\(text)\" is not a path prefix: it begins with a slash, and its segments are those of SPIFFE IDs")
            }
        }

        package func covers(_ other: String) -> Bool {
            if other == path { return !onlyBelow && !path.isEmpty }
            return other.hasPrefix(path + "/")
        }
    }
}

/// A request outside the caller's scope.
struct OutOfScope: Error, Sendable, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

extension AdminScope {
    /// Whether the entry may be seen: its two IDs are in the scope.
    package func shows(_ entry: RegistrationEntry, _ trustDomain: TrustDomain) -> Bool {
        shows(spiffeID: entry.spiffeID, trustDomain) && shows(parentID: entry.parentID, trustDomain)
    }

    func shows(spiffeID: String, _ trustDomain: TrustDomain) -> Bool { covers(spiffeID, spiffeIDs, trustDomain) }
    func shows(parentID: String, _ trustDomain: TrustDomain) -> Bool { covers(parentID, parentIDs, trustDomain) }

    /// Whether the entry may be brought about, changed or removed.
    /// - Throws: `OutOfScope` with the field.
    func check(_ entry: RegistrationEntry, _ trustDomain: TrustDomain) throws {
        guard covers(entry.spiffeID, spiffeIDs, trustDomain) else {
            throw OutOfScope("SPIFFE ID \(entry.spiffeID) is not below \(Self.list(spiffeIDs))")
        }
        guard covers(entry.parentID, parentIDs, trustDomain) else {
            throw OutOfScope("parent ID \(entry.parentID) is not below \(Self.list(parentIDs))")
        }
        try checkUnprotected(entry.spiffeID)
        if entry.admin { throw OutOfScope("entries of administrators are not for scoped administrators") }
        if entry.downstream { throw OutOfScope("entries of downstream servers are not for scoped administrators") }
        // Its selectors say into which store of secrets the identity is written.
        if entry.storeSVID { throw OutOfScope("entries to be stored are not for scoped administrators") }
        for selector in requiredSelectors where !entry.selectors.contains(selector) {
            throw OutOfScope("the entry must have the selector \(selector.type):\(selector.value)")
        }
        try checkDNS(entry.dnsNames)
        for id in entry.federatesWith {
            guard let domain = try? TrustDomain(id), federatesWith.contains(domain) else {
                throw OutOfScope("the entry must not federate with \(id)")
            }
        }
    }

    /// Whether an identity may be minted with these names.
    /// - Throws: `OutOfScope`.
    func checkMint(_ id: SPIFFEID, dnsNames: [String] = [], hasSubject: Bool = false, _ trustDomain: TrustDomain) throws {
        guard covers(id.description, spiffeIDs, trustDomain) else {
            throw OutOfScope("SPIFFE ID \(id) is not below \(Self.list(spiffeIDs))")
        }
        try checkUnprotected(id.description)
        try checkDNS(dnsNames)
        // Names in a subject are believed by some as DNS names are.
        if hasSubject { throw OutOfScope("the CSR must have no subject, or C=US, O=SPIRE") }
    }

    private func checkUnprotected(_ id: String) throws {
        guard protectedIDs.contains(where: { $0.description == id }) else { return }
        throw OutOfScope("SPIFFE ID \(id) is an administrator's")
    }

    private func checkDNS(_ names: [String]) throws {
        for name in names where !dnsNames.contains(where: { Self.dns($0, covers: name) }) {
            throw OutOfScope("the DNS name \(name) is not among [\(dnsNames.joined(separator: " "))]")
        }
    }

    /// A wildcard that is asked for must be granted as it is, or lie below one that is.
    private static func dns(_ granted: String, covers name: String) -> Bool {
        let name = name.lowercased()
        if granted == name { return true }
        guard granted.hasPrefix("*.") else { return false }
        let domain = granted.dropFirst()
        return name.hasSuffix(domain) && name.utf8.count > domain.utf8.count
    }

    private func covers(_ id: String, _ prefixes: [PathPrefix], _ trustDomain: TrustDomain) -> Bool {
        guard let id = try? SPIFFEID(id), id.trustDomain == trustDomain else { return false }
        return prefixes.contains { $0.covers(id.path) }
    }

    private static func list(_ prefixes: [PathPrefix]) -> String {
        "[" + prefixes.map(\.description).joined(separator: " ") + "]"
    }
}

/// A scoped administrator's rights with what is needed to hold it to them.
package struct ScopeGrant: Sendable {
    package let scope: AdminScope
    private let entries: any EntryReader

    package init(_ scope: AdminScope, entries: any EntryReader) {
        self.scope = scope
        self.entries = entries
    }

    /// Refuses an identity to which any entry, in the scope or not, gives an administrator's or downstream server's
    /// rights: those go with the identity, and so would be had by whoever obtains it.
    /// - Throws: `OutOfScope`, and what the datastore throws.
    func checkPrivileges(_ id: String) async throws {
        var filter = EntryFilter()
        filter.spiffeID = id
        let all = try await entries.listEntries(filter, page: nil).items
        if all.contains(where: { $0.admin || $0.downstream }) {
            throw OutOfScope("SPIFFE ID \(id) carries an administrator's or downstream server's rights")
        }
    }
}
