// SPDX-License-Identifier: Apache-2.0

import Groundwork
import Logging
import NIOCore
import RPC
package import SPIFFE
import Synchronization
import Telemetry
package import Wire
import X509

/// Where the server is and how it is recognised.
package struct ServerPlace: Sendable {
    package var host: String
    package var port: Int
    package var trustDomain: TrustDomain
    package var policy = TLSContextMaker.Policy.standard

    package init(host: String, port: Int, trustDomain: TrustDomain) {
        self.host = host
        self.port = port
        self.trustDomain = trustDomain
    }
}

/// One gRPC client of the server, and the reason this side refused the server's certificate, which the transport's
/// error does not carry.
final class ServerConnection: Sendable {
    let client: RPCClient
    private let refusal: Refusal

    private final class Refusal: Sendable {
        let reason = Mutex<SpireError?>(nil)
    }

    /// - Parameters:
    ///   - identity: Asked for each connection; `nil` for none.
    ///   - authorities: DER certificates asked for each connection; `nil` checks the server's name only.
    init(
        _ place: ServerPlace, group: any EventLoopGroup, time: any TimeSource, logger: Logger,
        tracer: Tracer = .off, identity: @escaping @Sendable () -> TLSIdentity?,
        authorities: @escaping @Sendable () -> [[UInt8]]?
    ) {
        let refusal = Refusal()
        let trust = ServerTrust(trustDomain: place.trustDomain)
        var configuration = RPCClientConfiguration()
        let host = place.host.contains(":") ? "[\(place.host)]" : place.host
        configuration.authority = "\(host):\(place.port)"
        configuration.scheme = "https"
        // A server that sends all entries at once may exceed the usual 4 MiB with some 7,500 of them.
        configuration.maximumMessageSize = 64 << 20
        configuration.observer = ClientTracing(tracer)
        configuration.userAgent = "spire-agent/" + Version.number
        client = Channels.tls(
            host: place.host, port: place.port, group: group, configuration: configuration, policy: place.policy,
            identity: identity
        ) { chain in
            do {
                if let authorities = authorities() {
                    try trust.verify(chain, authorities: authorities, now: time.now)
                } else {
                    logger.warning("Insecure bootstrap enabled; skipping server certificate verification")
                    try trust.checkName(chain)
                }
                refusal.reason.withLock { $0 = nil }
            } catch let error as SpireError {
                refusal.reason.withLock { $0 = error }
                throw error
            }
        }
        self.refusal = refusal
    }

    /// Runs a call; when it failed because this side refused the server, throws that reason.
    func run<Result>(_ body: (RPCClient) async throws -> Result) async throws -> Result {
        do {
            return try await body(client)
        } catch {
            if (error as? RPCStatus)?.code != .permissionDenied,
                let reason = refusal.reason.withLock({ reason in
                    defer { reason = nil }
                    return reason
                })
            {
                throw reason
            }
            throw error
        }
    }

    func close() async { await client.close() }

    func retire() { client.retire() }
}
