// SPDX-License-Identifier: Apache-2.0

package import SPIFFE

extension ServerConfig {
    /// `federation`: this server's bundle endpoint and the trust domains it federates with.
    package struct Federation: Sendable, Hashable {
        package var bundleEndpoint: BundleEndpoint?
        package var federatesWith: [Relationship] = []
        package init() {}
    }

    /// `federation.bundle_endpoint`.
    package struct BundleEndpoint: Sendable, Hashable {
        /// IP address to listen on; empty is all addresses.
        package var address = ""
        /// 0 lets the system choose.
        package var port = 0
        package var refreshHint: Duration = .seconds(300)
        package var profile: ServingProfile = .httpsSPIFFE
        package init() {}
    }

    /// How the bundle endpoint proves who it is.
    package enum ServingProfile: Sendable, Hashable {
        case httpsSPIFFE
        case httpsWebACME(ACME)
        case httpsWebFile(certificatePath: String, keyPath: String, syncInterval: Duration)
    }

    /// `acme`.
    package struct ACME: Sendable, Hashable {
        package var directoryURL = ""
        package var domainName = ""
        package var email = ""
        package var acceptsTermsOfService = false
        package init() {}
    }

    /// `federates_with "<trust domain>"`.
    package struct Relationship: Sendable, Hashable {
        package var trustDomain: TrustDomain
        package var bundleEndpointURL: String
        package var profile: PeerProfile

        package init(trustDomain: TrustDomain, bundleEndpointURL: String, profile: PeerProfile) {
            self.trustDomain = trustDomain
            self.bundleEndpointURL = bundleEndpointURL
            self.profile = profile
        }
    }

    /// How a peer's bundle endpoint is authenticated.
    package enum PeerProfile: Sendable, Hashable {
        case httpsWeb
        case httpsSPIFFE(endpointID: SPIFFEID)
    }
}
