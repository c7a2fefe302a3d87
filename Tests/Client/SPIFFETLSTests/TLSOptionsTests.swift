// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOPosix
import NIOSSL
import SPIFFE
import SPIFFETesting
import Testing
import X509

@testable import SPIFFETLS

@Suite struct TLSOptionsTests {
    let ca: ThrowawayCA
    let server: LiveCredentials
    let client: LiveCredentials

    init() throws {
        ca = try ThrowawayCA(try TrustDomain("example.org"))
        server = LiveCredentials(try ca.x509SVID("/server", dnsNames: ["server.test"]))
        client = LiveCredentials(try ca.x509SVID("/client"))
    }

    /// A client that believes everything, for speaking to the server in ways ours would not.
    func connect(
        _ address: SocketAddress, _ change: @escaping @Sendable (inout TLSConfiguration) -> Void
    ) async throws -> String {
        try await withConnection(
            to: address,
            { channel in
                var configuration = TLSConfiguration.makeClientConfiguration()
                configuration.certificateVerification = .none
                change(&configuration)
                let context = try NIOSSLContext(configuration: configuration)
                try channel.pipeline.syncOperations.addHandler(NIOSSLClientHandler(context: context, serverHostname: nil))
            },
            { try await $0.ask("hello") })
    }

    @Test("TLS 1.2 and 1.3 are spoken, TLS 1.1 is not")
    func versions() async throws {
        try await withServer(.serverOnly(svid: server)) { address, _ in
            let answers = [
                try await connect(address) { $0.maximumTLSVersion = .tlsv12 },
                try await connect(address) { $0.minimumTLSVersion = .tlsv13 },
            ]
            #expect(answers == ["hello", "hello"])
            await #expect(throws: (any Error).self) {
                let answer = try await connect(address) { $0.maximumTLSVersion = .tlsv11 }
                if answer == "(closed)" { throw SPIFFEError(.closed, "closed") }
            }
        }
    }

    @Test("TLS 1.2 is refused when 1.3 is required")
    func requires13() async throws {
        var options = TLSOptions()
        options.requiresTLS13 = true
        try await withServer(.serverOnly(svid: server, options: options)) { address, log in
            _ = try? await connect(address) { $0.maximumTLSVersion = .tlsv12 }
            #expect(await log.next().contains("UNSUPPORTED_PROTOCOL"))
        }
    }

    @Test("ciphers without forward secrecy or authentication are refused")
    func ciphers() async throws {
        try await withServer(.serverOnly(svid: server)) { address, log in
            _ = try? await connect(address) {
                $0.maximumTLSVersion = .tlsv12
                $0.cipherSuites = "ECDHE-ECDSA-AES256-SHA"
            }
            #expect(await log.next().contains("NO_SHARED_CIPHER"))
        }
    }

    @Test("a handshake that never comes ends the connection")
    func slowHandshake() async throws {
        var options = TLSOptions()
        options.handshakeTimeout = .milliseconds(20)
        try await withServer(.serverOnly(svid: server, options: options)) { address, log in
            try await withConnection(to: address, { _ in }) { connection in
                // One byte of a record header, and no more. The end may be a reset.
                _ = try? await connection.ask("\u{16}")
            }
            #expect(await log.next() == "the TLS handshake took too long")
        }
    }

    @Test("a server with a web certificate is known by its host name, its client by SPIFFE ID")
    func web() async throws {
        let certificate = TLSCertificate(try server.x509SVID())
        let tls = ServerTLS.mutualWeb(
            certificate: { certificate }, bundles: ca.bundle, authorizer: .memberOf(ca.trustDomain))
        let client = client
        let roots = ca.bundle.x509Authorities
        try await withServer(tls) { address, _ in
            try await withConnection(to: address, .mutualWeb(svid: client, hostName: "server.test", roots: roots)) {
                try await $0.ask("whoami", expecting: "spiffe://example.org/client")
                let peer = try await $0.peer()
                #expect(peer == nil)
            }
            await #expect(throws: (any Error).self) {
                try await withConnection(to: address, .mutualWeb(svid: client, hostName: "other.test", roots: roots)) {
                    _ = try await $0.ask("whoami")
                }
            }
            // The machine's own roots do not know our authority.
            await #expect(throws: (any Error).self) {
                try await withConnection(to: address, .mutualWeb(svid: client, hostName: "server.test")) {
                    _ = try await $0.ask("whoami")
                }
            }
        }
    }

    @Test("authorizers judge verified peers only by what they say")
    func authorizers() throws {
        let svid = try ca.x509SVID("/a")
        let peer = try X509SVID.verify(svid.chain, bundles: ca.bundle, at: svid.notBefore)
        let other = try SPIFFEID("spiffe://example.org/b")
        try Authorizer.any.authorize(peer)
        try Authorizer.id(peer.id).authorize(peer)
        try Authorizer.oneOf([other, peer.id]).authorize(peer)
        try Authorizer.memberOf(ca.trustDomain).authorize(peer)
        for authorizer in [Authorizer.id(other), .oneOf([]), .memberOf(try TrustDomain("other.org"))] {
            #expect(throws: SPIFFEError(.unauthorizedPeer, "")) { try authorizer.authorize(peer) }
        }
    }
}
