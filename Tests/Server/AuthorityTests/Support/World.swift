// SPDX-License-Identifier: Apache-2.0

import Datastore
import FoundationEssentials
import Groundwork
import Issuance
import Logging
import SPIFFE
import TestKit
import Testing

@testable import Authority

/// A server's surroundings that outlive it: keys, rows and time.
struct World {
    let clock = ManualClock()
    let fuse = Fuse()
    let store: MemoryStore
    let keys: FusedKeys
    var settings: AuthoritySettings

    init() throws {
        store = MemoryStore(fuse: fuse)
        keys = FusedKeys(fuse: fuse)
        settings = AuthoritySettings(trustDomain: try TrustDomain("example.org"))
    }

    /// A server process that has not started.
    func server() -> AuthorityService {
        AuthorityService(
            settings: settings, keyManager: keys, store: store, time: clock, random: SystemRandom(),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    func started() async throws -> AuthorityService {
        let server = server()
        try await server.start()
        return server
    }

    var bundle: TrustBundle {
        get async throws { try #require(try await store.bundle(trustDomainID: "spiffe://example.org")) }
    }

    /// Signs an identity and says which authority did, checking that a relying party with the bundle accepts it.
    @discardableResult
    func checkSigning(_ server: AuthorityService, sourceLocation: SourceLocation = #_sourceLocation) async throws -> String {
        let key = try LocalKey.generate(.ecP256)
        let id = try SPIFFEID("spiffe://example.org/web")
        let svid = try await server.workloadX509SVID(id: id, publicKey: key.publicKey, dnsNames: [], ttl: 0, subject: nil)
        let published = try await bundle
        let roots = try X509Bundle(settings.trustDomain, der: published.x509Authorities.flatMap(\.der))
        let verified = try X509SVID.verify(der: svid.chain, bundles: BundleSet(x509: [roots]), at: clock.now)
        #expect(verified.id == id, sourceLocation: sourceLocation)
        if !settings.disableJWTSVIDs {
            let token = try await server.jwtSVID(id: id, audience: ["a"], ttl: 0, includeJTI: false)
            let keys = try published.jwtAuthorities.map {
                JWTAuthority(keyID: $0.keyID, publicKey: try PublicKey(spki: $0.publicKey))
            }
            let jwt = try JWTSVID.parseAndVerify(
                token.token, audience: ["a"], bundles: BundleSet(jwt: [JWTBundle(settings.trustDomain, authorities: keys)]),
                at: clock.now)
            #expect(jwt.id == id, sourceLocation: sourceLocation)
        }
        return Hex.text(try CertificateSummary(svid.chain[0]).authorityKeyID)
    }
}
