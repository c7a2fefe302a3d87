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

@Suite struct AuthorityRequestTests {
    @Test("an operator prepares, activates, taints and revokes an X.509 authority")
    func x509() async throws {
        let world = try World()
        let server = try await world.started()
        let first = try server.states(.x509).active.authorityID
        let prepared = try await server.prepareAuthority(.x509)
        #expect(try server.states(.x509).prepared == prepared)
        await #expect(throws: SpireError(.authorityUnexpected, "")) {
            try await server.activateAuthority(.x509, id: first)
        }
        _ = try await server.activateAuthority(.x509, id: prepared.authorityID)
        #expect(try await world.checkSigning(server) == prepared.authorityID)
        await #expect(throws: SpireError(.authorityStatus, "")) { try await server.activateAuthority(.x509, id: first) }

        await #expect(throws: SpireError(.authorityUnexpected, "")) {
            try await server.taintX509Authority(id: prepared.authorityID)
        }
        await #expect(throws: SpireError(.authorityChange, "")) { try await server.revokeX509Authority(id: first) }
        _ = try await server.taintX509Authority(id: first)
        #expect(server.taintedX509Authorities.value == [first])
        #expect(server.bundle.value?.x509Authorities.filter(\.tainted).count == 1)
        _ = try await server.revokeX509Authority(id: first)
        #expect(server.bundle.value?.x509Authorities.count == 1)
        try await world.checkSigning(server)
    }

    @Test("an operator prepares, activates, taints and revokes a JWT key")
    func jwt() async throws {
        let world = try World()
        let server = try await world.started()
        let first = try server.states(.jwt).active.authorityID
        let prepared = try await server.prepareAuthority(.jwt)
        await #expect(throws: SpireError(.authorityUnexpected, "")) {
            try await server.revokeJWTAuthority(id: prepared.authorityID)
        }
        _ = try await server.activateAuthority(.jwt, id: prepared.authorityID)
        try await world.checkSigning(server)
        _ = try await server.taintJWTAuthority(id: first)
        _ = try await server.revokeJWTAuthority(id: first)
        #expect(server.bundle.value?.jwtAuthorities.map(\.keyID) == [prepared.authorityID])
        try await world.checkSigning(server)
    }

    @Test("preparing again replaces what was prepared, also after a restart")
    func prepareTwice() async throws {
        let world = try World()
        let server = try await world.started()
        let one = try await server.prepareAuthority(.x509)
        let two = try await server.prepareAuthority(.x509)
        #expect(one != two)
        #expect(try server.states(.x509).prepared == two)
        await #expect(throws: SpireError.self) { try await server.activateAuthority(.x509, id: one.authorityID) }
        #expect(try await world.started().states(.x509).prepared?.authorityID == two.authorityID)
    }

    @Test("a preparation that fails after the key was replaced leaves nothing to activate")
    func failedPreparation() async throws {
        let world = try World()
        let server = try await world.started()
        let one = try await server.prepareAuthority(.x509)
        world.fuse.burn(after: 1)
        await #expect(throws: SpireError(.authorityPreparation, "")) { try await server.prepareAuthority(.x509) }
        world.fuse.mend()
        await #expect(throws: SpireError(.authorityUnexpected, "")) {
            try await server.activateAuthority(.x509, id: one.authorityID)
        }
        let restarted = try await world.started()
        #expect(try restarted.states(.x509).prepared == nil)
        try await world.checkSigning(restarted)
    }

    @Test("before the start every request is told to wait; without JWT, that there is none")
    func unavailable() async throws {
        var world = try World()
        let server = world.server()
        await #expect(throws: SpireError(.authorityUnavailable, "")) { try await server.prepareAuthority(.x509) }
        world.settings.disableJWTSVIDs = true
        let without = try await world.started()
        #expect(throws: SpireError(.jwtDisabled, "")) { try without.states(.jwt) }
        await #expect(throws: SpireError(.jwtDisabled, "")) {
            try await without.jwtSVID(id: world.settings.trustDomain.id, audience: ["a"], ttl: 0, includeJTI: false)
        }
        #expect(try await world.bundle.jwtAuthorities.isEmpty)
    }

    @Test("requests and ticks at once take turns and end in a sound state")
    func concurrent() async throws {
        let world = try World()
        let server = try await world.started()
        await withTaskGroup(of: Void.self) { group in
            for round in 0..<40 {
                group.addTask {
                    switch round % 4 {
                    case 0: _ = try? await server.prepareAuthority(.x509)
                    case 1:
                        if let id = try? server.states(.x509).prepared?.authorityID {
                            _ = try? await server.activateAuthority(.x509, id: id)
                        }
                    case 2: await server.tick()
                    default: _ = try? await world.checkSigning(server)
                    }
                }
            }
        }
        let signer = try await world.checkSigning(server)
        #expect(try server.states(.x509).active.authorityID == signer)
        #expect(try await world.started().states(.x509).active.authorityID == signer)
    }
}

@Suite struct AuthorityPruningTests {
    @Test("expired authorities leave the bundle a day after their end, six hours apart at most")
    func bundle() async throws {
        let world = try World()
        let server = try await world.started()
        for _ in 0..<5 {
            world.clock.advance(by: .seconds(12 * 3600))
            await server.tick()
        }
        let count = try await world.bundle.x509Authorities.count
        await server.pruneBundle()
        let left = try await world.bundle.x509Authorities
        #expect(left.count < count)
        let cutoff = Int64(world.clock.now.timeIntervalSince1970) - 86_400
        #expect(try left.allSatisfy { try CertificateSummary($0.der).notAfter > cutoff })
        #expect(server.bundle.value?.x509Authorities.count == left.count)
    }

    @Test("records of servers gone for two weeks are removed, the own and younger ones stay")
    func journals() async throws {
        let world = try World()
        _ = try await world.started()
        let gone = try World()
        let other = AuthorityService(
            settings: world.settings, keyManager: gone.keys, store: world.store, time: world.clock,
            logger: .init(label: "test"))
        try await other.start()
        let server = try await world.started()
        world.clock.advance(by: .seconds(86_400 + 13 * 86_400))
        await server.pruneJournals()
        #expect(try await world.store.listCAJournals().count == 2)
        world.clock.advance(by: .seconds(2 * 86_400))
        await server.pruneJournals()
        #expect(try await world.store.listCAJournals().count == 1)
    }

    @Test("the loop ticks every ten seconds, prunes the bundle every six hours, and ends when cancelled")
    func loop() async throws {
        let world = try World()
        let server = try await world.started()
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await server.run() }
            var pruned = 0
            for _ in 0..<4 {
                #expect(await world.clock.sleepers() == .seconds(10))
                world.clock.advance(by: .seconds(2 * 3600))
            }
            await world.clock.sleepers()
            pruned = world.fuse.steps.filter { $0 == "prune bundle" }.count
            #expect(pruned == 1)
            group.cancelAll()
        }
    }
}
