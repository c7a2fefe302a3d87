// SPDX-License-Identifier: Apache-2.0

import Datastore
import FoundationEssentials
import Groundwork
import Issuance
import PluginAPI
import SPIFFE
import StateProtos
import TestKit
import Testing

@testable import Authority

@Suite struct WITAuthorityTests {
    private func world() throws -> World {
        var world = try World()
        world.settings.enableWITSVIDs = true
        return world
    }

    private func token(_ server: AuthorityService, ttl: Int32 = 0) async throws -> IssuedToken {
        let key = try SubjectPublicKey(spki: LocalKey.generate(.ecP256).publicKey.spki)
        return try await server.witSVID(
            id: SPIFFEID("spiffe://example.org/web"), key: ConfirmationKey(key, algorithm: "ES256"), ttl: ttl)
    }

    /// The key ID of the token, whose signature a WIT key of the bundle must accept.
    private func signer(_ token: IssuedToken, _ world: World) async throws -> String {
        let parts = token.token.split(separator: ".")
        let header = try #require(String(decoding: decoded(parts[0]), as: UTF8.self).split(separator: "\"").dropFirst(7).first)
        let published = try #require(try await world.bundle.witAuthorities.first { $0.keyID == String(header) })
        let valid = try PublicKey(spki: published.publicKey).isValidSignature(
            decoded(parts[2]), for: Array((parts[0] + "." + parts[1]).utf8), algorithm: .es256)
        #expect(valid)
        return published.keyID
    }

    private func decoded(_ text: Substring) -> [UInt8] {
        let base64 = text.replacing("-", with: "+").replacing("_", with: "/")
        return [UInt8](Data(base64Encoded: base64 + String(repeating: "=", count: (4 - base64.count % 4) % 4)) ?? Data())
    }

    private func journal(_ world: World) async throws -> Spire_Server_Journal_Entries {
        let stored = try #require(try await world.store.listCAJournals().first)
        return try AuthorityJournal(stored).entries
    }

    @Test("without the feature there is no WIT key, and nothing is signed")
    func off() async throws {
        let world = try World()
        let server = try await world.started()
        await #expect(throws: SpireError(.authorityUnavailable, "WIT key is not available for signing")) {
            try await token(server)
        }
        #expect(try await world.bundle.witAuthorities.isEmpty)
        #expect(try await world.keys.keys().allSatisfy { !$0.id.hasPrefix("WIT") })
        #expect(throws: SpireError(.witDisabled, "")) { try server.states(.wit) }
    }

    @Test("a WIT key is published before it signs, and signs again after a restart")
    func restart() async throws {
        let world = try world()
        let first = try await signer(token(world.started()), world)
        #expect(try await signer(token(world.started()), world) == first)
        #expect(try await world.bundle.witAuthorities.count == 1)
        #expect(try await world.keys.keys().contains { $0.id == "WIT-Signer-A" })
        let entry = try #require(try await journal(world).witKeys.first)
        #expect(entry.slotID == "A" && entry.kid == first && entry.authorityID == first && entry.status == .active)
        #expect(entry.notAfter - entry.issuedAt == 86_400)
    }

    @Test("WIT keys are prepared at half of their life, take over near its end and leave the bundle a day later")
    func rotation() async throws {
        let world = try world()
        let server = try await world.started()
        let first = try await signer(token(server), world)
        world.clock.advance(by: .seconds(13 * 3600))
        await server.tick()
        #expect(try await world.bundle.witAuthorities.count == 2)
        #expect(try await signer(token(server), world) == first)
        world.clock.advance(by: .seconds(8 * 3600))
        await server.tick()
        let second = try await signer(token(server), world)
        #expect(second != first)
        #expect(try await world.keys.keys().contains { $0.id == "WIT-Signer-B" })
        world.clock.advance(by: .seconds(28 * 3600))
        await server.tick()
        await server.pruneBundle()
        #expect(try await !world.bundle.witAuthorities.contains { $0.keyID == first })
    }

    @Test("a server without the feature keeps what a journal says of WIT keys, and one with it continues with them")
    func preserved() async throws {
        var world = try world()
        let first = try await signer(token(world.started()), world)
        let recorded = try await journal(world).witKeys
        world.settings.enableWITSVIDs = false
        let without = try await world.started()
        world.clock.advance(by: .seconds(13 * 3600))
        await without.tick()
        #expect(try await journal(world).x509Cas.count == 2, "the journal was written anew")
        #expect(try await journal(world).witKeys == recorded)
        world.settings.enableWITSVIDs = true
        #expect(try await signer(token(world.started()), world) == first)
    }

    @Test("a server killed at any step of its start recovers, and what signed was published", arguments: 0..<13)
    func killedAtStart(_ steps: Int) async throws {
        let world = try world()
        world.fuse.burn(after: steps)
        await #expect(throws: (any Error).self) { try await world.server().start() }
        world.fuse.mend()
        let server = try await world.started()
        let first = try await signer(token(server), world)
        #expect(try await signer(token(world.started()), world) == first)
    }

    @Test("tokens live an hour unless told otherwise, and never longer than their key")
    func lifetimes() async throws {
        var world = try world()
        world.settings.witIssuer = "https://issuer.example"
        let server = try await world.started()
        let now = world.clock.now
        func lifetime(_ ttl: Int32) async throws -> Int {
            Int(try await token(server, ttl: ttl).expiresAt.timeIntervalSince(now).rounded())
        }
        #expect(try await lifetime(0) == 3600)
        #expect(try await lifetime(60) == 60)
        #expect(try await lifetime(.max) == 86_400)
        let payload = String(decoding: decoded(try await token(server).token.split(separator: ".")[1]), as: UTF8.self)
        #expect(payload.contains(#""iss":"https://issuer.example","sub":"spiffe://example.org/web"}"#))
        #expect(!payload.contains("aud") && !payload.contains("jti"))
        await #expect(throws: SpireError(.issuanceRefused, "")) {
            let key = try SubjectPublicKey(spki: LocalKey.generate(.ecP256).publicKey.spki)
            _ = try await server.witSVID(
                id: SPIFFEID("spiffe://other.org/web"), key: ConfirmationKey(key, algorithm: "ES256"), ttl: 0)
        }
    }
}
