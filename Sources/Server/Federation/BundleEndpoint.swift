// SPDX-License-Identifier: Apache-2.0

package import Datastore
package import Groundwork
package import Logging
package import NIOCore
import SPIFFE
import Web
package import Wire

/// Serves the own trust domain's bundle to foreign ones, over HTTPS.
///
/// > Spec: SPIFFE Federation §5; texts and statuses are the original's.
package struct BundleEndpoint: Sendable {
    package struct Settings: Sendable {
        package var host: String
        /// 0 lets the system choose.
        package var port: Int
        /// Told to those who fetch, in place of what is stored.
        package var refreshHint: Duration
        package var policy = TLSContextMaker.Policy.standard

        package init(host: String, port: Int, refreshHint: Duration) {
            self.host = host
            self.port = port
            self.refreshHint = refreshHint
        }
    }

    private let settings: Settings
    private let group: any EventLoopGroup
    private let identity: @Sendable () -> TLSIdentity?
    private let bundle: @Sendable () async throws -> TrustBundle?
    private let time: any TimeSource
    private let logger: Logger
    /// Where it listens, once it does.
    package let listening = Watch<SocketAddress?>(nil)

    /// - Parameters:
    ///   - identity: What to show; asked for each connection, and must answer from memory.
    ///   - bundle: The own bundle, `nil` while there is none; asked for each request.
    package init(
        settings: Settings, group: any EventLoopGroup, identity: @escaping @Sendable () -> TLSIdentity?,
        bundle: @escaping @Sendable () async throws -> TrustBundle?, time: any TimeSource, logger: Logger
    ) {
        self.settings = settings
        self.group = group
        self.identity = identity
        self.bundle = bundle
        self.time = time
        self.logger = logger
    }

    /// Listens and serves until cancelled.
    /// - Throws: `io` when the address cannot be bound.
    package func run() async throws {
        let endpoint = self
        let listener = try await WebListener.bind(
            host: settings.host, port: settings.port, group: group,
            tls: WebTLS(identity: identity, policy: settings.policy), time: time
        ) { await endpoint.answer($0) }
        logger.info(
            "Serving bundle endpoint",
            metadata: [
                "addr": "\(listener.addressText)",
                "refresh_hint": "\(settings.refreshHint.components.seconds)s",
            ])
        listening.set(listener.address)
        // Until cancelled: nothing ever changes here.
        for await _ in Watch(()).changes() {}
        listening.set(nil)
        await listener.close()
    }

    func answer(_ question: WebRequest) async -> WebResponse {
        guard question.method == "GET" else { return .plain(405, "405 method not allowed") }
        guard question.path == "/" else { return .notFound }
        let stored: TrustBundle
        do {
            guard let found = try await bundle() else { throw SpireError(.notFound, "trust domain bundle not found") }
            stored = found
        } catch {
            logger.error("Unable to retrieve local bundle", metadata: [LogKey.error: "\(error)"])
            return .plain(500, "500 unable to retrieve local bundle")
        }
        do {
            return WebResponse(
                status: 200, contentType: "application/json",
                body: try stored.document(refreshHint: settings.refreshHint).document())
        } catch {
            logger.error("Unable to marshal local bundle", metadata: [LogKey.error: "\(error)"])
            return .plain(500, "500 unable to marshal local bundle")
        }
    }
}

extension WebResponse {
    /// A plain text as Go's HTTP library reports errors.
    fileprivate static func plain(_ status: Int, _ text: String) -> WebResponse {
        var response = WebResponse.text(status, text)
        response.headers.append(("X-Content-Type-Options", "nosniff"))
        return response
    }
}
