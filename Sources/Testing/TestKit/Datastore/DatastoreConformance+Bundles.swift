// SPDX-License-Identifier: Apache-2.0

import Datastore
import Groundwork

extension DatastoreConformance {
    private static let domain = "spiffe://example.org"

    private static func bundle(_ roots: Int..., keys: [(String, Int64)] = []) throws -> TrustBundle {
        var bundle = TrustBundle(trustDomainID: domain)
        bundle.x509Authorities = try roots.map { try TrustBundle.sampleRoot($0) }
        bundle.jwtAuthorities = keys.map { .init(publicKey: [1, 2, 3], keyID: $0.0, expiresAt: $0.1) }
        bundle.refreshHint = 10
        bundle.sequenceNumber = 1
        return bundle
    }

    static let bundles: [Check] = [
        Check("a bundle comes back as it was stored; there is one a trust domain") { store in
            var first = try bundle(0, 1, keys: [("k", 5)])
            first.x509Authorities[0].tainted = true
            first.witAuthorities = [.init(publicKey: [9], keyID: "w", expiresAt: 7, tainted: true)]
            try requireEqual(try await store.bundle(trustDomainID: domain), nil)
            try requireEqual(try await store.createBundle(first), first)
            try requireEqual(try await store.bundle(trustDomainID: domain), first)
            let again = first
            try await requireFailure(.alreadyExists) { _ = try await store.createBundle(again) }
            _ = try await store.setBundle(TrustBundle(trustDomainID: "spiffe://other.org"))
            try requireEqual(try await store.countBundles(), 2)
            let page = try await store.listBundles(page: PageRequest(size: 1))
            try requireEqual(page.items, [first])
            let rest = try await store.listBundles(page: PageRequest(token: page.nextToken, size: 5))
            try requireEqual(rest.items.map(\.trustDomainID), ["spiffe://other.org"])
            try requireEqual(try await store.listBundles(page: nil).items.count, 2)
        },
        Check("setting replaces, updating replaces what the mask names, neither counts the sequence number") { store in
            _ = try await store.createBundle(try bundle(0, keys: [("k", 5)]))
            var wanted = try bundle(1, keys: [("l", 6)])
            wanted.refreshHint = 20
            wanted.sequenceNumber = 9
            let updated = try await store.updateBundle(wanted, fields: [.x509Authorities])
            var expected = try bundle(1, keys: [("k", 5)])
            try requireEqual(updated, expected)
            expected = wanted
            try requireEqual(try await store.setBundle(wanted), expected)
            try requireEqual(try await store.bundle(trustDomainID: domain), expected)
            try await requireFailure(.notFound, "datastore-sql: record not found") {
                _ = try await store.updateBundle(TrustBundle(trustDomainID: "spiffe://none"), fields: .all)
            }
        },
        Check("appending adds what is new and counts the sequence number only then") { store in
            try requireEqual(try await store.appendBundle(try bundle(0)).sequenceNumber, 1)
            let more = try await store.appendBundle(try bundle(0, 1, keys: [("k", 5)]))
            try requireEqual(more.x509Authorities.count, 2)
            try requireEqual(more.jwtAuthorities.count, 1)
            try requireEqual(more.sequenceNumber, 2)
            try requireEqual(try await store.appendBundle(try bundle(1, keys: [("k", 5)])), more)
            var tainted = try bundle(1)
            tainted.x509Authorities[0].tainted = true
            try requireEqual(try await store.appendBundle(tainted).x509Authorities.count, 3)
        },
        Check("pruning drops what expired and refuses to drop everything") { store in
            try requireEqual(try await store.pruneBundle(trustDomainID: domain, expiredBefore: 1), false)
            _ = try await store.createBundle(try bundle(0, 1, 2, keys: [("old", 100), ("none", 0), ("new", 5_000_000_000)]))
            try requireEqual(try await store.pruneBundle(trustDomainID: domain, expiredBefore: -1), false)
            let expired = TrustBundle.sampleRoots[1].notAfter
            try requireEqual(try await store.pruneBundle(trustDomainID: domain, expiredBefore: expired), true)
            let left = try await store.bundle(trustDomainID: domain)
            try requireEqual(left?.x509Authorities, try bundle(0, 2).x509Authorities)
            try requireEqual(left?.jwtAuthorities.map(\.keyID), ["new"])
            try requireEqual(left?.sequenceNumber, 2)
            try await requireFailure(.unknown) {
                _ = try await store.pruneBundle(trustDomainID: domain, expiredBefore: 2_700_000_000)
            }
            try requireEqual(try await store.bundle(trustDomainID: domain), left)
        },
        Check("X.509 authorities are tainted first and revoked then") { store in
            _ = try await store.createBundle(try bundle(0, 1))
            let key = TrustBundle.sampleRoots[0].subjectKeyID
            try await requireFailure(.notFound, "no ca found with provided subject key ID") {
                try await store.taintX509Authority(trustDomainID: domain, subjectKeyID: "00")
            }
            try await requireFailure(.notFound, "no root CA found with provided subject key ID") {
                try await store.revokeX509Authority(trustDomainID: domain, subjectKeyID: "00")
            }
            try await requireFailure(.invalid, "it is not possible to revoke an untainted root CA") {
                try await store.revokeX509Authority(trustDomainID: domain, subjectKeyID: key)
            }
            try await store.taintX509Authority(trustDomainID: domain, subjectKeyID: key)
            try requireEqual(try await store.bundle(trustDomainID: domain)?.x509Authorities.map(\.tainted), [true, false])
            try await requireFailure(.invalid, "root CA is already tainted") {
                try await store.taintX509Authority(trustDomainID: domain, subjectKeyID: key)
            }
            try await store.revokeX509Authority(trustDomainID: domain, subjectKeyID: key)
            let left = try await store.bundle(trustDomainID: domain)
            try requireEqual(left?.x509Authorities, try bundle(1).x509Authorities)
            try requireEqual(left?.sequenceNumber, 3)
        },
        Check("JWT authorities are tainted first and revoked then") { store in
            _ = try await store.createBundle(try bundle(0, keys: [("k", 5), ("l", 6)]))
            try await requireFailure(.notFound, "no JWT Key found with provided key ID") {
                _ = try await store.taintJWTAuthority(trustDomainID: domain, keyID: "x")
            }
            try await requireFailure(.invalid, "it is not possible to revoke an untainted key") {
                _ = try await store.revokeJWTAuthority(trustDomainID: domain, keyID: "k")
            }
            try requireEqual(try await store.taintJWTAuthority(trustDomainID: domain, keyID: "k").tainted, true)
            try await requireFailure(.invalid, "key is already tainted") {
                _ = try await store.taintJWTAuthority(trustDomainID: domain, keyID: "k")
            }
            try requireEqual(try await store.revokeJWTAuthority(trustDomainID: domain, keyID: "k").keyID, "k")
            try requireEqual(try await store.bundle(trustDomainID: domain)?.jwtAuthorities.map(\.keyID), ["l"])
        },
        Check("deleting a bundle treats entries that federate with it as its mode says") { store in
            func prepare() async throws -> RegistrationEntry {
                _ = try await store.createBundle(TrustBundle(trustDomainID: "spiffe://other.org"))
                var entry = RegistrationEntry.sample()
                entry.federatesWith = ["spiffe://other.org"]
                return try await store.add(entry)
            }
            func delete(_ mode: BundleDeletion) async throws {
                try await store.deleteBundle(trustDomainID: "spiffe://other.org", mode: mode)
            }
            let first = try await prepare()
            try await requireFailure(
                .failedPrecondition, "datastore-sql: cannot delete bundle; federated with 1 registration entries"
            ) { try await delete(.restrict) }
            try await delete(.dissociate)
            try requireEqual(try await store.entry(id: first.id)?.federatesWith, [])
            try await store.deleteEntry(id: first.id)
            let second = try await prepare()
            let before = try await store.latestEntryEventID()
            try await delete(.delete)
            try requireEqual(try await store.entry(id: second.id), nil)
            try requireEqual(try await store.entryEvents(after: before).map(\.key), [second.id])
            try await requireFailure(.notFound) { try await delete(.restrict) }
        },
    ]
}
