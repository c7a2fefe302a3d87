// SPDX-License-Identifier: Apache-2.0

package import FoundationEssentials
package import Groundwork
package import SPIFFE
package import X509

/// Judges the certificate chain a server shows: it must be `spiffe://<td>/spire/server`, and nobody else.
package struct ServerTrust: Sendable {
    /// What go's TLS says of a chain nobody signed; behaviour depends on this text, and so do operators' searches.
    package static let unknownAuthority = "x509: certificate signed by unknown authority"

    package let trustDomain: TrustDomain

    package init(trustDomain: TrustDomain) { self.trustDomain = trustDomain }

    /// The server's SPIFFE ID.
    package var serverID: String { "spiffe://\(trustDomain.name)/spire/server" }

    /// Verifies the chain against the trust domain's authorities.
    /// - Throws: `agent.server_untrusted`, `agent.server_identity`.
    package func verify(_ chain: [Certificate], authorities: [[UInt8]], now: Date) throws {
        // An authority that cannot be read cannot vouch for anyone, but must not shut out those that can.
        let roots = authorities.compactMap { try? Certificate(spiffeDER: $0) }
        let verified: VerifiedX509SVID
        do {
            verified = try X509SVID.verify(chain, bundles: X509Bundle(trustDomain, authorities: roots), at: now)
        } catch let error as SPIFFEError {
            if error.code == .bundleNotFound {
                throw SpireError(
                    .serverIdentity, "expected server SPIFFE ID \"\(serverID)\"; got \(Self.names(of: chain.first))")
            }
            throw SpireError(.serverUntrusted, error.message)
        }
        guard verified.id.description == serverID else {
            throw SpireError(.serverIdentity, "unexpected ID \"\(verified.id)\", expected server \"\(serverID)\"")
        }
    }

    /// Looks only at the name: for the one connection before there is anything to verify with.
    /// - Throws: `agent.server_identity`.
    package func checkName(_ chain: [Certificate]) throws {
        let names = chain.first.map(Self.uris) ?? []
        guard names.count == 1 else {
            throw SpireError(
                .serverIdentity, "expected server SPIFFE ID \"\(serverID)\"; got \(names.count) URI SANs")
        }
        guard names[0] == serverID else {
            throw SpireError(.serverIdentity, "expected server SPIFFE ID \"\(serverID)\"; got \"\(names[0])\"")
        }
    }

    private static func names(of leaf: Certificate?) -> String {
        let names = leaf.map(uris) ?? []
        return names.count == 1 ? "\"\(names[0])\"" : "\(names.count) URI SANs"
    }

    private static func uris(_ leaf: Certificate) -> [String] {
        guard let names = try? leaf.extensions.subjectAlternativeNames else { return [] }
        return names.compactMap { if case .uniformResourceIdentifier(let uri) = $0 { uri } else { nil } }
    }
}

extension SpireError {
    /// Whether the server's chain leads to no authority we know: the bundle is out of date, or the server is not ours.
    package var isUnknownAuthority: Bool {
        code == .serverUntrusted && message.contains(ServerTrust.unknownAuthority)
    }
}
