// SPDX-License-Identifier: Apache-2.0

import Foundation
import Groundwork
import Issuance
import NIOCore
import NIOPosix
import RPC
import SPIFFE
import SwiftASN1
import SwiftProtobuf
import Synchronization
import Testing
import Wire
import X509

/// An authority for one test, and identities it signed.
private struct Authority: Sendable {
    let ca: X509CA
    let root: Certificate
    static let trustDomain = try! TrustDomain("example.test")

    init() async throws {
        ca = try await X509CA.selfSigned(
            signer: try LocalKey.generate(.ecP256), trustDomain: Self.trustDomain, subject: .authority,
            ttl: .seconds(3600), now: Date(), random: SystemRandom())
        root = try Certificate(derEncoded: ca.certificate.der)
    }

    func identity(_ path: String, held: Bool = false, type: KeyType = .ecP256) async throws -> TLSIdentity {
        let key = try LocalKey.generate(type)
        let signed = try await ca.signSVID(
            .init(id: try SPIFFEID(Self.trustDomain, path: path), publicKey: key.publicKey, ttl: .seconds(600)),
            now: Date(), random: SystemRandom())
        return TLSIdentity(chain: [signed.der], key: held ? .signer(SlowSigner(key: key)) : .local(pkcs8: key.pkcs8))
    }

    @Sendable func verify(_ chain: [Certificate]) async throws -> SPIFFEID {
        // A real verifier may wait for a bundle.
        await Task.yield()
        _ = try ChainVerifier(roots: [root]).path(from: chain, at: Date())
        let names = try chain.first?.extensions.subjectAlternativeNames
        for case .uniformResourceIdentifier(let uri) in names ?? .init([]) { return try SPIFFEID(uri) }
        throw RPCStatus(.unauthenticated, "no URI")
    }
}

/// A key that is somewhere else.
private struct SlowSigner: Signer {
    let key: LocalKey
    var publicKey: PublicKeyInfo { key.publicKey }
    func sign(_ message: [UInt8], scheme: SignatureScheme) async throws -> [UInt8] {
        await Task.yield()
        return try key.signNow(message, scheme: scheme)
    }
}

private final class Box<Value: Sendable>: Sendable {
    private let state: Mutex<Value>
    init(_ value: Value) { state = Mutex(value) }
    var value: Value {
        get { state.withLock { $0 } }
        set { state.withLock { $0 = newValue } }
    }
}

@Suite("Calls over TLS")
struct TLSEchoTests {
    private struct Lab {
        static let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
        let authority: Authority
        let identity: Box<TLSIdentity?>
        let server: RPCServer
        let listener: TLSListener
        let seen = Seen()

        init(_ change: (inout TLSListener.Configuration) -> Void = { _ in }, held: Bool = false) async throws {
            let authority = try await Authority()
            let identity = Box<TLSIdentity?>(try await authority.identity("/server", held: held))
            self.authority = authority
            self.identity = identity
            server = RPCServer(services: echoTable(seen), configuration: .patient)
            var configuration = TLSListener.Configuration()
            configuration.handshakeTimeout = .minutes(10)
            change(&configuration)
            listener = try await TLSListener.bind(
                host: "127.0.0.1", port: 0, group: Self.group, server: server, configuration: configuration,
                identity: { identity.value }, verifyClient: authority.verify)
        }

        func client(_ own: TLSIdentity? = nil, trusting other: Authority? = nil) -> RPCClient {
            let judge = other ?? authority
            return Channels.tls(
                host: "127.0.0.1", port: listener.address.port ?? 0, group: Self.group, configuration: .patient, identity: { own },
                verifyServer: { _ = try await judge.verify($0) })
        }

        /// A connection on which nothing is said.
        func connect() async throws -> any Channel {
            try await ClientBootstrap(group: Self.group).connect(host: "127.0.0.1", port: listener.address.port ?? 0).get()
        }

        func close() async {
            await listener.close()
            await server.drain(within: .milliseconds(100))
        }
    }

    @Test("a client certificate is optional, and the verified one is the caller's identity", arguments: [false, true])
    func identity(_ held: Bool) async throws {
        let lab = try await Lab(held: held)
        let anonymous = lab.client()
        do {
            let found = try await anonymous.unary(Echo.who, Bytes()).value
            #expect(found == "anonymous")
        }
        let known = lab.client(try await lab.authority.identity("/web", held: held))
        do {
            let found = try await known.unary(Echo.who, Bytes()).value
            #expect(found == "tls spiffe://example.test/web")
        }
        do {
            let found = try await known.unary(Echo.later, message(2_000_000))
            #expect(found == message(2_000_000))
        }
        await anonymous.close()
        await known.close()
        await lab.close()
    }

    @Test("a P-384 key works as well")
    func otherKeys() async throws {
        let lab = try await Lab()
        let known = lab.client(try await lab.authority.identity("/web", type: .ecP384))
        do {
            let found = try await known.unary(Echo.who, Bytes()).value
            #expect(found == "tls spiffe://example.test/web")
        }
        await known.close()
        await lab.close()
    }

    @Test("a certificate of another authority is refused on both sides")
    func strangers() async throws {
        let lab = try await Lab()
        let stranger = try await Authority()
        let fooled = lab.client(trusting: stranger)
        let refused = await status { _ = try await fooled.unary(Echo.now, Bytes()) }
        #expect(refused?.code == .unavailable)
        #expect(refused?.message.contains("authentication handshake failed") == true)
        let intruder = lab.client(try await stranger.identity("/web"))
        #expect(await code { _ = try await intruder.unary(Echo.now, Bytes()) } == .unavailable)
        await fooled.close()
        await intruder.close()
        await lab.close()
    }

    @Test("a new server identity is shown to new connections while old ones go on", .timeLimit(.minutes(5)))
    func rotation() async throws {
        let lab = try await Lab()
        let shown = Box<[String]>([])
        @Sendable func client() -> RPCClient {
            Channels.tls(
                host: "127.0.0.1", port: lab.listener.address.port ?? 0, group: Lab.group, configuration: .patient, identity: { nil },
                verifyServer: { shown.value += [try await lab.authority.verify($0).path] })
        }
        let old = client()
        try await old.bidirectional(Echo.chat) { writer, replies in
            try await writer.send(message(1))
            do {
                let found = try await replies.next()
                #expect(found == message(1))
            }
            lab.identity.value = try await lab.authority.identity("/server/next")
            let new = client()
            _ = try await new.unary(Echo.now, Bytes())
            #expect(shown.value == ["/server", "/server/next"])
            try await writer.send(message(2))
            do {
                let found = try await replies.next()
                #expect(found == message(2))
            }
            await new.close()
        }
        lab.identity.value = nil
        let refused = client()
        #expect(await code { _ = try await refused.unary(Echo.now, Bytes()) } == .unavailable)
        do {
            let found = try await old.unary(Echo.now, message(3))
            #expect(found == message(3))
        }
        await refused.close()
        await old.close()
        await lab.close()
    }

    @Test("no more than so many connections shake hands at once; further ones are closed on accept", .timeLimit(.minutes(5)))
    func crowdedHandshakes() async throws {
        let lab = try await Lab {
            $0.handshakeTimeout = .hours(1)
            $0.maximumHandshakes = 5
        }
        var idle: [any Channel] = []
        for _ in 0..<5 { idle.append(try await lab.connect()) }
        while lab.listener.openHandshakes < 5 { await Task.yield() }
        for _ in 0..<20 { try await lab.connect().closeFuture.get() }
        for channel in idle { try await channel.close().get() }
        while lab.listener.openHandshakes > 0 { await Task.yield() }
        let client = lab.client()
        let found = try await client.unary(Echo.now, message(1))
        #expect(found == message(1))
        #expect(lab.listener.openHandshakes == 0)
        await client.close()
        await lab.close()
    }

    @Test("connections that do not finish their handshake in time are closed", .timeLimit(.minutes(5)))
    func halfOpen() async throws {
        let lab = try await Lab { $0.handshakeTimeout = .milliseconds(100) }
        var idle: [any Channel] = []
        for _ in 0..<20 { idle.append(try await lab.connect()) }
        for channel in idle { try await channel.closeFuture.get() }
        #expect(lab.listener.openHandshakes == 0)
        await lab.close()
    }

    @Test("nobody listening is said in Go's words")
    func refused() async throws {
        // Bound, so that nobody else gets the port meanwhile, but nobody listens.
        let descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, size) == 0 && getsockname(descriptor, $0, &size) == 0
            }
        }
        try #require(isBound)
        let client = Channels.tls(
            host: "127.0.0.1", port: Int(UInt16(bigEndian: address.sin_port)), group: Lab.group, configuration: .patient,
            identity: { nil }, verifyServer: { _ in })
        let failure = await status { _ = try await client.unary(Echo.now, Bytes()) }
        #expect(failure?.code == .unavailable)
        #expect(failure?.message.hasSuffix("connect: connection refused\"") == true)
        await client.close()
    }
}
