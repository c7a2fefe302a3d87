// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOPosix
import NIOSSL
import SPIFFE
import TestKit
import Testing

@testable import Wire

@Suite struct DialErrorTests {
    @Test("failures of the libraries are told in words, without their types and files")
    func words() {
        let cases: [(any Error, String)] = [
            (IOError(errnoCode: 111, reason: "connect"), "connect: connection refused"),
            (ChannelError.connectTimeout(.seconds(1)), "i/o timeout"), (ChannelError.eof, "EOF"),
            (ChannelError.inputClosed, "the connection was closed"), (NIOSSLError.uncleanShutdown, "unexpected EOF"),
            (NIOSSLError.handshakeFailed(.sslError([.eofDuringHandshake])), "EOF"),
            (NIOSSLError.handshakeFailed(.syscallError), "tls: handshake failure"),
            (NIOSSLError.unableToValidateCertificate, "tls: failed to verify certificate"),
            (NIOSSLExtraError.failedToValidateHostname, "tls: failed to verify certificate: it is for another name"),
            (NIOSSLExtraError.invalidSNIHostname, "tls: the connection cannot be secured"),
            (SPIFFEError(.untrusted, "not ours"), "not ours"),
        ]
        for (error, expected) in cases { #expect(DialError.reason(error) == expected) }
    }

    @Test("what the TLS library says by a word of its own is told in words", arguments: [
        (false, "tls: first record does not look like a TLS handshake"),
        (true, "tls: failed to verify certificate: it is expired, for another name or of an unknown authority"),
    ])
    func handshakes(isTLS: Bool, expected: String) async throws {
        let group = MultiThreadedEventLoopGroup.singleton
        var server: NIOSSLContext?
        if isTLS {
            let svid = try await TestCA.root().svid("/web", dnsNames: ["localhost"])
            server = try NIOSSLContext(
                configuration: .makeServerConfiguration(
                    certificateChain: try svid.chain.map { .certificate(try NIOSSLCertificate(bytes: $0, format: .der)) },
                    privateKey: .privateKey(try NIOSSLPrivateKey(bytes: svid.pkcs8, format: .der))))
        }
        let context = server
        let listener = try await ServerBootstrap(group: group).childChannelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                if let context {
                    try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: context))
                } else {
                    channel.writeAndFlush(ByteBuffer(string: "HTTP/1.1 400 Bad Request\r\n\r\n"), promise: nil)
                }
            }
        }.bind(host: "127.0.0.1", port: 0).get()
        let failed = group.any().makePromise(of: String.self)
        let client = try NIOSSLContext(configuration: .makeClientConfiguration())
        let connection = try await ClientBootstrap(group: group).channelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(NIOSSLClientHandler(context: client, serverHostname: "localhost"))
                try channel.pipeline.syncOperations.addHandler(Catcher(failed))
            }
        }.connect(host: "127.0.0.1", port: listener.localAddress?.port ?? 0).get()
        #expect(try await failed.futureResult.get() == expected)
        try? await connection.close()
        try await listener.close()
    }

    private final class Catcher: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let failed: EventLoopPromise<String>
        init(_ failed: EventLoopPromise<String>) { self.failed = failed }
        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            failed.succeed(DialError.reason(error))
            context.close(promise: nil)
        }
        func channelInactive(context: ChannelHandlerContext) { failed.succeed("closed without an error") }
    }
}
