// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import NIOCore
import NIOPosix
import NIOSSL
import SPIFFE
import SPIFFETesting
import Testing

@testable import SPIFFETLS

@Suite struct MutualTLSTests {
    let td: TrustDomain
    let ca: ThrowawayCA
    let server: LiveCredentials
    let client: LiveCredentials
    let bundles: LiveBundles

    init() throws {
        td = try TrustDomain("example.org")
        ca = try ThrowawayCA(td)
        server = LiveCredentials(try ca.x509SVID("/server"))
        client = LiveCredentials(try ca.x509SVID("/client"))
        bundles = LiveBundles(BundleSet([ca.bundle]))
    }

    func serverTLS(_ authorizer: Authorizer = .any, options: TLSOptions = TLSOptions()) -> ServerTLS {
        .mutual(svid: server, bundles: bundles, authorizer: authorizer, options: options)
    }

    func clientTLS(_ authorizer: Authorizer = .any, options: TLSOptions = TLSOptions()) -> ClientTLS {
        .mutual(svid: client, bundles: bundles, authorizer: authorizer, options: options)
    }

    @Test("both ends learn who the other is")
    func identities() async throws {
        let serverID = try SPIFFEID("spiffe://example.org/server")
        try await withServer(serverTLS(.memberOf(td))) { address, _ in
            try await withConnection(to: address, clientTLS(.id(serverID))) { connection in
                try await connection.ask("whoami", expecting: "spiffe://example.org/client")
                let peer = try await connection.peer()
                #expect(peer?.id == serverID)
                try await connection.ask("hello", expecting: "hello")
            }
        }
    }

    @Test("intermediates are sent along")
    func intermediates() async throws {
        server.install(try ca.intermediate().intermediate().x509SVID("/server"))
        client.install(try ca.intermediate().x509SVID("/client"))
        try await withServer(serverTLS()) { address, _ in
            try await withConnection(to: address, clientTLS()) { connection in
                try await connection.ask("whoami", expecting: "spiffe://example.org/client")
                let peer = try await connection.peer()
                #expect(peer?.chain.count == 4)
            }
        }
    }

    @Test("new connections use new SVIDs and bundles, open ones go on")
    func rotation() async throws {
        try await withServer(serverTLS()) { address, _ in
            try await withConnection(to: address, clientTLS()) { old in
                try await old.ask("x", expecting: "x")
                let peer = try await old.peer()
                let before = try #require(peer)
                // A new authority for everything: nothing of before would be trusted again.
                let next = try ThrowawayCA(td)
                server.install(try next.x509SVID("/server"))
                client.install(try next.x509SVID("/client2"))
                bundles.install(BundleSet([next.bundle]))
                try await withConnection(to: address, clientTLS()) { new in
                    try await new.ask("whoami", expecting: "spiffe://example.org/client2")
                    let peer = try await new.peer()
                    let current = try server.x509SVID().leaf
                    #expect(peer?.leaf != before.leaf)
                    #expect(peer?.leaf == current)
                }
                try await old.ask("still there", expecting: "still there")
                try await old.ask("whoami", expecting: "spiffe://example.org/client")
            }
        }
    }

    @Test("a client the server does not welcome is refused")
    func refusedClient() async throws {
        let other = try SPIFFEID("spiffe://example.org/other")
        try await withServer(serverTLS(.oneOf([other]))) { address, log in
            await #expect(throws: (any Error).self) {
                try await withConnection(to: address, clientTLS()) { connection in
                    if try await connection.ask("hello") == "(closed)" { throw SPIFFEError(.closed, "closed") }
                }
            }
            #expect(await log.next() == "unexpected ID \"spiffe://example.org/client\"")
        }
    }

    @Test("a server the client does not want is refused, and the client is told why")
    func refusedServer() async throws {
        try await withServer(serverTLS()) { address, _ in
            await #expect(throws: SPIFFEError(.unauthorizedPeer, "")) {
                try await withConnection(to: address, clientTLS(.memberOf(try TrustDomain("other.org")))) { connection in
                    _ = try await connection.ask("hello")
                }
            }
        }
    }

    @Test("an authority that is not in the bundle is not trusted")
    func untrusted() async throws {
        client.install(try ThrowawayCA(td).x509SVID("/client"))
        try await withServer(serverTLS()) { address, log in
            _ = try? await withConnection(to: address, clientTLS()) { _ = try await $0.ask("hello") }
            #expect(await log.next() == "could not verify leaf certificate: x509: certificate signed by unknown authority")
        }
    }

    @Test("a trust domain without bundle is not trusted")
    func foreign() async throws {
        client.install(try ThrowawayCA(try TrustDomain("other.org")).x509SVID("/client"))
        try await withServer(serverTLS()) { address, log in
            _ = try? await withConnection(to: address, clientTLS()) { _ = try await $0.ask("hello") }
            #expect(await log.next() == "no X.509 bundle for trust domain \"other.org\"")
        }
    }

    @Test("an SVID that has expired by the verifier's clock is not trusted")
    func expired() async throws {
        var options = TLSOptions()
        options.now = { Date().addingTimeInterval(7200) }
        try await withServer(serverTLS(options: options)) { address, log in
            _ = try? await withConnection(to: address, clientTLS()) { _ = try await $0.ask("hello") }
            #expect(await log.next().contains("has expired or is not yet valid"))
        }
    }

    @Test("a client without certificate is refused")
    func noCertificate() async throws {
        try await withServer(serverTLS()) { address, log in
            _ = try? await withConnection(to: address, .serverOnly(bundles: bundles, authorizer: .any)) {
                _ = try await $0.ask("hello")
            }
            #expect(await log.next().contains("PEER_DID_NOT_RETURN_A_CERTIFICATE"))
        }
    }

    @Test("a server that asks for nothing serves anybody and knows nobody")
    func serverOnly() async throws {
        try await withServer(.serverOnly(svid: server)) { address, _ in
            try await withConnection(to: address, .serverOnly(bundles: bundles, authorizer: .memberOf(td))) { connection in
                try await connection.ask("whoami", expecting: "anonymous")
                let peer = try await connection.peer()
                #expect(peer?.id.path == "/server")
            }
        }
    }

    @Test("nothing to present refuses the connection at once")
    func nothingInstalled() async throws {
        let tls = ClientTLS.mutual(svid: LiveCredentials(), bundles: bundles, authorizer: .any)
        try await withServer(serverTLS()) { address, _ in
            await #expect(throws: SPIFFEError(.invalidX509SVID, "")) {
                try await withConnection(to: address, tls) { _ = try await $0.ask("hello") }
            }
        }
    }
}
