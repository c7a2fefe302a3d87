// SPDX-License-Identifier: Apache-2.0

package import Datastore
package import Groundwork
import SPIFFE

/// A datastore's bundles, with every write of this process told to the cache. Whoever writes bundles writes through it.
///
/// The authorities' journals are handed through, because their owner takes both as one.
package struct WatchedBundles: BundleReader, BundleWriter, CAJournalStore {
    private let store: any BundleReader & BundleWriter & CAJournalStore
    private let cache: BundleCache
    /// Grows with every write to the own trust domain's bundle.
    package let ownChanges: Watch<UInt64>

    package init(_ store: any BundleReader & BundleWriter & CAJournalStore, cache: BundleCache) {
        self.store = store
        self.cache = cache
        ownChanges = Watch(0)
    }

    private func changed(_ trustDomainID: String) {
        cache.invalidate(trustDomainID)
        if trustDomainID == cache.trustDomain.id.description { ownChanges.update { $0 += 1 } }
    }

    package func bundle(trustDomainID: String) async throws -> TrustBundle? {
        try await store.bundle(trustDomainID: trustDomainID)
    }

    package func listBundles(page: PageRequest?) async throws -> Page<TrustBundle> {
        try await store.listBundles(page: page)
    }

    package func countBundles() async throws -> Int { try await store.countBundles() }

    package func createBundle(_ bundle: TrustBundle) async throws -> TrustBundle {
        defer { changed(bundle.trustDomainID) }
        return try await store.createBundle(bundle)
    }

    package func updateBundle(_ bundle: TrustBundle, fields: BundleFields) async throws -> TrustBundle {
        defer { changed(bundle.trustDomainID) }
        return try await store.updateBundle(bundle, fields: fields)
    }

    package func setBundle(_ bundle: TrustBundle) async throws -> TrustBundle {
        defer { changed(bundle.trustDomainID) }
        return try await store.setBundle(bundle)
    }

    package func appendBundle(_ bundle: TrustBundle) async throws -> TrustBundle {
        defer { changed(bundle.trustDomainID) }
        return try await store.appendBundle(bundle)
    }

    package func deleteBundle(trustDomainID: String, mode: BundleDeletion) async throws {
        defer { changed(trustDomainID) }
        try await store.deleteBundle(trustDomainID: trustDomainID, mode: mode)
    }

    package func pruneBundle(trustDomainID: String, expiredBefore cutoff: Int64) async throws -> Bool {
        defer { changed(trustDomainID) }
        return try await store.pruneBundle(trustDomainID: trustDomainID, expiredBefore: cutoff)
    }

    package func taintX509Authority(trustDomainID: String, subjectKeyID: String) async throws {
        defer { changed(trustDomainID) }
        try await store.taintX509Authority(trustDomainID: trustDomainID, subjectKeyID: subjectKeyID)
    }

    package func revokeX509Authority(trustDomainID: String, subjectKeyID: String) async throws {
        defer { changed(trustDomainID) }
        try await store.revokeX509Authority(trustDomainID: trustDomainID, subjectKeyID: subjectKeyID)
    }

    package func taintJWTAuthority(trustDomainID: String, keyID: String) async throws -> TrustBundle.JWTAuthority {
        defer { changed(trustDomainID) }
        return try await store.taintJWTAuthority(trustDomainID: trustDomainID, keyID: keyID)
    }

    package func revokeJWTAuthority(trustDomainID: String, keyID: String) async throws -> TrustBundle.JWTAuthority {
        defer { changed(trustDomainID) }
        return try await store.revokeJWTAuthority(trustDomainID: trustDomainID, keyID: keyID)
    }

    package func setCAJournal(_ journal: CAJournal) async throws -> CAJournal { try await store.setCAJournal(journal) }

    package func caJournal(activeX509AuthorityID: String) async throws -> CAJournal? {
        try await store.caJournal(activeX509AuthorityID: activeX509AuthorityID)
    }

    package func listCAJournals() async throws -> [CAJournal] { try await store.listCAJournals() }

    package func deleteCAJournal(id: Int64) async throws { try await store.deleteCAJournal(id: id) }
}
