// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOPosix
import NIOSSL
import SPIFFE
import Synchronization
import Web
import X509

/// The SPIFFE ID in the certificate a server shows, unverified: to tell an operator that the other profile is meant.
enum ShownIdentity {
    private static let patience: TimeAmount = .seconds(5)

    static func id(at place: WebAddress, group: any EventLoopGroup) async -> SPIFFEID? {
        let loop = group.any()
        let found = loop.makePromise(of: SPIFFEID?.self)
        guard let context = try? NIOSSLContext(configuration: .makeClientConfiguration()) else {
            found.succeed(nil)
            return nil
        }
        let isAddress = (try? SocketAddress(ipAddress: place.host, port: 0)) != nil
        let deadline = loop.scheduleTask(in: patience) { found.succeed(nil) }
        let connected = ClientBootstrap(group: loop).connectTimeout(patience).channelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(
                    NIOSSLClientHandler(
                        context: context, serverHostname: isAddress ? nil : place.host,
                        customVerificationCallback: { presented, promise in
                            found.succeed(presented.first.flatMap(Self.id))
                            // Nothing is ever sent to this server.
                            promise.succeed(.failed)
                        }))
            }
        }.connect(host: place.host, port: place.port)
        connected.whenFailure { _ in found.succeed(nil) }
        let id = try? await found.futureResult.get()
        deadline.cancel()
        connected.whenSuccess { $0.close(promise: nil) }
        return id ?? nil
    }

    private static func id(_ presented: NIOSSLCertificate) -> SPIFFEID? {
        guard let der = try? presented.toDERBytes(), let certificate = try? Certificate(spiffeDER: der),
            let names = try? certificate.extensions.subjectAlternativeNames
        else { return nil }
        for case .uniformResourceIdentifier(let uri) in names {
            if let id = try? SPIFFEID(uri) { return id }
        }
        return nil
    }
}
