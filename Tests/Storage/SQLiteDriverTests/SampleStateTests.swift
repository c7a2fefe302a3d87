// SPDX-License-Identifier: Apache-2.0

import Datastore
import SQLDatastore
import TestKit
import Testing

@Suite(.enabled(if: Samples.sqlite != nil, "no ../shared/samples here and SPIRE_SAMPLES is not set"))
struct SampleStateTests {
    private func copy(_ scratch: Scratch) {
        scratch.shell("cp '\(Samples.sqlite ?? "")' \(scratch.path)/datastore.sqlite3; chmod 600 \(scratch.path)/*")
    }

    @Test("the original's database opens with everything in it")
    func reading() async throws {
        let scratch = Scratch()
        defer { scratch.remove() }
        copy(scratch)
        let store = try await scratch.open()
        let entries = try await store.listEntries(EntryFilter(), page: nil).items
        #expect(entries.count == 9)
        let web = try #require(try await store.entry(id: "8a7f4421-da9f-4b86-839c-eca948dc0cf7"))
        #expect(web.spiffeID == "spiffe://example.org/web" && web.parentID == "spiffe://example.org/node-a")
        #expect(web.x509SVIDTTL == 7200 && web.hint == "internal" && web.revisionNumber == 1)
        #expect(web.dnsNames == ["web.example.org"] && web.selectors == [Selector(type: "unix", value: "uid:0")])
        #expect(web.createdAt == 1_795_223_034)
        let named = Dictionary(uniqueKeysWithValues: entries.map { ($0.spiffeID, $0) })
        #expect(named["spiffe://example.org/db"]?.admin == true)
        #expect(named["spiffe://example.org/db"]?.selectors.map(\.value) == ["uid:0", "gid:0"])
        #expect(named["spiffe://example.org/downstream"]?.downstream == true)
        #expect(named["spiffe://example.org/stored"]?.storeSVID == true)
        #expect(named["spiffe://example.org/expiring"]?.expiresAt == 4_102_444_800)
        #expect(named["spiffe://example.org/custom"]?.id == "my-own-entry.id_1")
        #expect(named["spiffe://example.org/fed"]?.federatesWith == ["spiffe://other.org"])

        let bundles = try await store.listBundles(page: nil).items
        #expect(bundles.map(\.trustDomainID) == ["spiffe://example.org", "spiffe://other.org"])
        #expect(bundles[0].x509Authorities.count == 1 && bundles[0].jwtAuthorities.count == 1)
        let relationship = try await store.federationRelationship(trustDomain: "third.org")
        #expect(relationship?.profile == .httpsSPIFFE(endpointID: "spiffe://third.org/spire/server"))
        #expect(relationship?.bundleEndpointURL == "https://third.org/bundle")

        let nodes = try await store.listNodes(NodeFilter(), page: nil, withSelectors: true).items
        #expect(nodes.count == 1 && nodes[0].attestationType == "join_token")
        #expect(nodes[0].serialNumber == "331706910538522757808515441025893041108")
        #expect(nodes[0].expiresAt == 2_110_583_032 && nodes[0].newExpiresAt == 0)
        #expect(nodes[0].agentVersion == "1.15.3" && !nodes[0].canReattest)
        #expect(try await store.joinToken("29567ad8-6f1d-4ad1-b658-d6b4f5df12a9")?.expiry == 2_110_583_032)
        let journal = try await store.caJournal(activeX509AuthorityID: "8442a3c5e1c5e1637683105de8ffdbd9610c007d")
        #expect(journal?.id == 1 && journal?.data.count ?? 0 > 700)
        #expect(try await store.latestEntryEventID() == 10)
        #expect(try await store.latestNodeEventID() == 3)
        await store.close()
    }

    @Test("a new database has the original's schema, letter by letter")
    func schema() async throws {
        let scratch = Scratch()
        defer { scratch.remove() }
        let schema = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name"
        copy(scratch)
        let theirs = scratch.sql(schema)
        let store = try await scratch.open("ours.sqlite3")
        await store.close()
        #expect(scratch.sql(schema, on: "ours.sqlite3") == theirs)
    }

    @Test("what was stored by the original is written back byte for byte")
    func bundleBytes() async throws {
        let scratch = Scratch()
        defer { scratch.remove() }
        copy(scratch)
        let before = scratch.sql("SELECT hex(data) FROM bundles ORDER BY id")
        let store = try await scratch.open()
        for bundle in try await store.listBundles(page: nil).items { _ = try await store.setBundle(bundle) }
        await store.close()
        #expect(scratch.sql("SELECT hex(data) FROM bundles ORDER BY id") == before)
        #expect(scratch.sql("SELECT version, code_version FROM migrations") == "25|1.16.0\n")
    }
}
