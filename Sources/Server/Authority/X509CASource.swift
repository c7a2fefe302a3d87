// SPDX-License-Identifier: Apache-2.0

package import FoundationEssentials
package import Groundwork
package import Issuance
package import PluginAPI

/// Where a server's X.509 authority comes from: its own signature, or an authority above it.
package protocol X509CASource: Sendable {
    /// Whether the authority's certificate is signed by somebody else.
    var isUpstream: Bool { get }
    /// Has `key` certified as an authority. Nothing is published yet.
    /// - Throws: why no authority could be had.
    func authority(for key: any ManagedKey, now: Date) async throws -> X509CAGrant
}

/// A certified authority, and the roots its identities are verified against.
package struct X509CAGrant: Sendable {
    package let authority: X509CA
    /// DER certificates to publish in the trust bundle before the authority signs anything.
    package let roots: [[UInt8]]

    package init(authority: X509CA, roots: [[UInt8]]) {
        self.authority = authority
        self.roots = roots
    }
}

/// The server as its own root.
package struct SelfSignedCASource: X509CASource {
    private let settings: AuthoritySettings
    private let random: any RandomSource

    package init(settings: AuthoritySettings, random: any RandomSource) {
        self.settings = settings
        self.random = random
    }

    package var isUpstream: Bool { false }

    package func authority(for key: any ManagedKey, now: Date) async throws -> X509CAGrant {
        let authority = try await X509CA.selfSigned(
            signer: key, trustDomain: settings.trustDomain, subject: settings.caSubject, ttl: settings.caTTL, now: now,
            random: random)
        return X509CAGrant(authority: authority, roots: [authority.certificate.der])
    }
}
