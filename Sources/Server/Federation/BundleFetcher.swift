// SPDX-License-Identifier: Apache-2.0

package import FoundationEssentials
import Groundwork
package import NIOCore
import NIOSSL
package import SPIFFE
import SPIFFETLS
import Web
import Wire
package import X509

/// Fetches bundle documents from endpoints.
package protocol BundleFetching: Sendable {
    /// - Parameter bundle: What an `https_spiffe` endpoint is authenticated with; `nil` when none is stored.
    /// - Throws: why there is no bundle, as the original words it.
    func fetch(_ endpoint: FederatedEndpoint, authenticatedBy bundle: X509Bundle?) async throws -> SPIFFEBundle
}

/// The real one, over HTTPS.
package struct BundleFetcher: BundleFetching {
    private let group: any EventLoopGroup
    private let now: @Sendable () -> Date
    /// Whom to trust for web certificates; `nil` for the machine's root store.
    private let webRoots: [Certificate]?
    private let timeout: TimeAmount

    package init(
        group: any EventLoopGroup, webRoots: [Certificate]? = nil, timeout: TimeAmount = .seconds(30),
        now: @escaping @Sendable () -> Date
    ) {
        self.group = group
        self.webRoots = webRoots
        self.timeout = timeout
        self.now = now
    }

    package func fetch(
        _ endpoint: FederatedEndpoint, authenticatedBy bundle: X509Bundle?
    ) async throws -> SPIFFEBundle {
        let answer: HTTPFetch.Answer
        do {
            var fetch = HTTPFetch(
                userAgent: "spire-server", group: group, underlay: try underlay(endpoint, bundle))
            fetch.maximumBody = SPIFFEBundle.maximumDocumentLength
            fetch.timeout = timeout
            answer = try await fetch.get(WebAddress(endpoint.url))
        } catch {
            throw await failure(error, endpoint)
        }
        guard answer.status == 200 else {
            let text = String(decoding: answer.body.prefix(1024), as: UTF8.self)
            throw SpireError(
                .federationRefresh, "unexpected status \(answer.status) fetching bundle: \(text)")
        }
        do {
            return try SPIFFEBundle(endpoint.trustDomain, document: answer.body)
        } catch {
            throw SpireError(.federationRefresh, "failed to decode bundle: \(error.message)", cause: nil)
        }
    }

    private func underlay(
        _ endpoint: FederatedEndpoint, _ bundle: X509Bundle?
    ) throws -> HTTPFetch.Underlay {
        var options = TLSOptions()
        options.now = now
        options.applicationProtocols = ["http/1.1"]
        switch endpoint.profile {
        case .httpsSPIFFE(let id):
            guard let bundle else {
                throw SpireError(
                    .federationRefresh, "can't perform SPIFFE Authentication: local copy of bundle not found")
            }
            let tls = ClientTLS.serverOnly(bundles: bundle, authorizer: .id(id), options: options)
            return { place, pipeline in
                guard place.scheme == "https" else { throw Self.notHTTPS(place) }
                try tls.addHandlers(to: pipeline)
            }
        case .httpsWeb:
            let roots = webRoots
            return { [options] place, pipeline in
                guard place.scheme == "https" else { throw Self.notHTTPS(place) }
                let tls = ClientTLS.serverOnlyWeb(hostName: place.host, roots: roots, options: options)
                try tls.addHandlers(to: pipeline)
            }
        }
    }

    private static func notHTTPS(_ place: WebAddress) -> SpireError {
        SpireError(.federationRefresh, "\(place): bundle endpoints are asked over https only")
    }

    private func failure(_ error: any Error, _ endpoint: FederatedEndpoint) async -> any Error {
        if error is CancellationError { return error }
        if let error = error as? SpireError, error.code == .federationRefresh { return error }
        let get = "Get \"\(endpoint.url)\": \(DialError.reason(error))"
        if endpoint.profile == .httpsWeb, error is NIOSSLError || error is NIOSSLExtraError || error is BoringSSLError,
            let place = try? WebAddress(endpoint.url), let id = await ShownIdentity.id(at: place, group: group)
        {
            return SpireError(
                .federationRefresh,
                "failed to authenticate bundle endpoint using web authentication but the server certificate contains SPIFFE ID \"\(id)\": maybe use https_spiffe instead of https_web: \(get)"
            )
        }
        return SpireError(.federationRefresh, "failed to fetch bundle: \(get)")
    }
}
