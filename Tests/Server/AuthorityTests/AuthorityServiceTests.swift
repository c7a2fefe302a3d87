// SPDX-License-Identifier: Apache-2.0

import Authority
import Datastore
import FoundationEssentials
import Groundwork
import Issuance
import Logging
import SPIFFE
import TestKit
import Testing

@Suite struct AuthorityServiceTests {
    @Test("a first start publishes an authority and a JWT key before it signs with them")
    func firstStart() async throws {
        let world = try World()
        let server = try await world.started()
        #expect(world.fuse.steps == [
            "list keys", "read bundle", "generate x509-CA-A", "publish X509", "write journal",
            "generate JWT-Signer-A", "publish JWT", "write journal", "write journal",
        ])
        try await world.checkSigning(server)
        let bundle = try await world.bundle
        #expect(bundle.x509Authorities.count == 1 && bundle.jwtAuthorities.count == 1)
        #expect(server.bundle.value == bundle)
        let id = try #require(bundle.jwtAuthorities.first?.keyID)
        #expect(id.count == 32 && id.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber) })
        let journals = try await world.store.listCAJournals()
        #expect(journals.map(\.activeX509AuthorityID) == [try server.states(.x509).active.authorityID])
    }

    @Test("a restart continues with the same authorities and changes nothing")
    func restart() async throws {
        let world = try World()
        let before = try await world.started()
        let rows = try await world.store.listCAJournals()
        world.clock.advance(by: .seconds(3600))
        let after = try await world.started()
        #expect(try after.states(.x509) == before.states(.x509))
        #expect(try after.states(.jwt) == before.states(.jwt))
        #expect(try await world.store.listCAJournals() == rows)
        #expect(try await world.checkSigning(after) == before.states(.x509).active.authorityID)
    }

    @Test("over a week of days every identity verifies, and authorities follow one another in time")
    func rotation() async throws {
        let world = try World()
        var server = try await world.started()
        var signers: [String] = []
        for hour in 0..<(7 * 24) {
            let signer = try await world.checkSigning(server)
            if signers.last != signer { signers.append(signer) }
            if hour == 100 { server = try await world.started() }
            world.clock.advance(by: .seconds(3600))
            await server.tick()
        }
        #expect(signers.count == Set(signers).count)
        // Prepared at 12 h, taking over at 20 h of each one's 24 h: 8 h after it was made.
        #expect((8...13).contains(signers.count), "\(signers.count)")
        #expect(server.rotationFailure == nil)
        let journal = try await world.store.listCAJournals()
        #expect(journal.count == 1)
        #expect(journal.first?.activeX509AuthorityID == signers.last)
    }

    @Test("with a lifetime of a minute, the loop takes over in time and every second has a valid signer", arguments: [
        0.0, 0.3, 0.99,
    ])
    func shortLifetime(_ fraction: Double) async throws {
        var world = try World()
        world.settings.caTTL = .seconds(60)
        world.clock.advance(by: .seconds(fraction))
        let server = try await world.started()
        var signers: [String] = []
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await server.run() }
            for _ in 0..<600 {
                _ = await world.clock.sleepers()
                let signer = try await world.checkSigning(server)
                if signers.last != signer { signers.append(signer) }
                let left = try server.states(.x509).active.expiresAt - Int64(world.clock.now.timeIntervalSince1970)
                #expect(left >= 7, "identities signed now live \(left) s")
                world.clock.advance(by: .milliseconds(500))
            }
            group.cancelAll()
        }
        // 300 seconds, a takeover every 20 after the first at 51.
        #expect((7...15).contains(signers.count), "\(signers.count)")
        #expect(server.rotationFailure == nil)
    }

    @Test("the next authority is published hours before it signs")
    func preparedEarly() async throws {
        let world = try World()
        let server = try await world.started()
        let first = try server.states(.x509).active.authorityID
        world.clock.advance(by: .seconds(12 * 3600 + 10))
        await server.tick()
        let states = try server.states(.x509)
        #expect(states.active.authorityID == first && states.prepared != nil)
        #expect(try await world.bundle.x509Authorities.count == 2)
        #expect(try await world.bundle.jwtAuthorities.count == 2)
        world.clock.advance(by: .seconds(8 * 3600))
        await server.tick()
        #expect(try server.states(.x509).active == states.prepared)
        #expect(try server.states(.x509).old?.authorityID == first)
    }

    @Test("a server killed at any step recovers, and what signed was published", arguments: 0..<9)
    func killedAtStart(_ steps: Int) async throws {
        let world = try World()
        world.fuse.burn(after: steps)
        await #expect(throws: (any Error).self) { try await world.server().start() }
        world.fuse.mend()
        let server = try await world.started()
        try await world.checkSigning(server)
        #expect(try await world.started().states(.x509) == server.states(.x509))
    }

    @Test("a server killed at any step of a rotation recovers with the old or the new authority", arguments: 0..<12)
    func killedInRotation(_ steps: Int) async throws {
        let world = try World()
        let server = try await world.started()
        let first = try await world.checkSigning(server)
        // Both preparing and taking over fall due at once.
        world.clock.advance(by: .seconds(21 * 3600))
        world.fuse.burn(after: steps)
        await server.tick()
        world.fuse.mend()
        // The one that lives on signs only with what is published.
        let signer = try await world.checkSigning(server)
        let again = try await world.started()
        let successor = try await world.checkSigning(again)
        if signer != first { #expect(successor == signer, "an authority that signed is found again") }
        await again.tick()
        world.clock.advance(by: .seconds(3600))
        await again.tick()
        try await world.checkSigning(again)
        #expect(try await world.store.listCAJournals().count == 1)
    }

    @Test("a datastore that is away keeps the active authority until it ends, then the prepared one signs")
    func datastoreAway() async throws {
        let world = try World()
        let server = try await world.started()
        world.clock.advance(by: .seconds(13 * 3600))
        await server.tick()
        let states = try server.states(.x509)
        world.clock.advance(by: .seconds(8 * 3600))
        world.fuse.burn(after: 0)
        await server.tick()
        #expect(try server.states(.x509).active == states.active)
        world.clock.advance(by: .seconds(4 * 3600))
        await server.tick()
        #expect(try server.states(.x509).active == states.prepared)
        world.fuse.mend()
        try await world.checkSigning(server)
    }

    @Test("more than ten failed rotations make the server unhealthy for good")
    func health() async throws {
        var world = try World()
        world.settings.disableJWTSVIDs = true
        let server = try await world.started()
        world.clock.advance(by: .seconds(13 * 3600))
        world.fuse.burn(after: 0)
        for _ in 0..<10 { await server.tick() }
        #expect(server.rotationFailure == nil)
        await server.tick()
        #expect(server.rotationFailure == "rotations exceed the threshold number of failures")
        world.fuse.mend()
        await server.tick()
        #expect(server.rotationFailure != nil)
    }

    @Test("a failing key manager at start says so and leaves nothing active")
    func failingStart() async throws {
        let world = try World()
        world.fuse.burn(after: 2)
        let server = world.server()
        await #expect(throws: SpireError(.unavailable, "")) { try await server.start() }
        #expect(throws: SpireError(.authorityUnavailable, "")) { try server.states(.x509) }
        await #expect(throws: SpireError(.authorityUnavailable, "")) {
            try await server.serverX509SVID(publicKey: LocalKey.generate(.ecP256).publicKey)
        }
    }

    @Test("keys that were lost, as the memory key manager loses them, give new authorities beside the old")
    func lostKeys() async throws {
        let world = try World()
        let first = try await world.started().states(.x509).active.authorityID
        let fresh = try World()
        let server = AuthorityService(
            settings: world.settings, keyManager: fresh.keys, store: world.store, time: world.clock,
            logger: .init(label: "test"))
        try await server.start()
        #expect(try server.states(.x509).active.authorityID != first)
        #expect(try await world.bundle.x509Authorities.count == 2)
        #expect(try await world.store.listCAJournals().count == 2)
    }

    @Test("an authority that is no longer in the trust bundle is not continued")
    func missingFromBundle() async throws {
        let world = try World()
        let first = try await world.started().states(.x509).active.authorityID
        try await world.store.deleteBundle(trustDomainID: "spiffe://example.org", mode: .restrict)
        let server = try await world.started()
        #expect(try server.states(.x509).active.authorityID != first)
        try await world.checkSigning(server)
    }

    @Test("a damaged record stops the start and stays as it is")
    func damagedJournal() async throws {
        let world = try World()
        _ = try await world.started()
        var journal = try #require(try await world.store.listCAJournals().first)
        journal.data = [0xff, 0xff, 0xff]
        _ = try await world.store.setCAJournal(journal)
        await #expect(throws: SpireError(.journalMalformed, "")) { try await world.server().start() }
        #expect(try await world.store.listCAJournals() == [journal])
    }

    @Test("records keep at most ten authorities of a kind")
    func journalLimit() async throws {
        let world = try World()
        let server = try await world.started()
        for _ in 0..<15 { _ = try await server.prepareAuthority(.x509) }
        let data = try #require(try await world.store.listCAJournals().first).data
        #expect(try AuthorityJournalReader.count(data) == 10)
    }
}
