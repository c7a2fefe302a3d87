// SPDX-License-Identifier: Apache-2.0

package import FoundationEssentials
import Groundwork
package import SPIFFE

/// What a relying party checks, checked before a certificate is handed out.
/// > Spec: X509-SVID §2-§4. Matches: SPIRE's validation after signing.
package enum CertificateRules {
    /// - Throws: `issuance.refused` naming the rule.
    package static func checkSVID(_ certificate: CertificateSummary, id: SPIFFEID, now: Date) throws {
        func refuse(_ reason: String) -> SpireError {
            SpireError(.issuanceRefused, "invalid X509-SVID: \(reason)")
        }
        guard certificate.isCA == false else { throw refuse("basic constraints are missing or those of a CA") }
        guard let usage = certificate.keyUsage, usage.contains(.digitalSignature) else {
            throw refuse("key usage lacks digital signature")
        }
        guard usage.isSubset(of: [.digitalSignature, .keyEncipherment, .keyAgreement]) else {
            throw refuse("key usage allows more than an identity may")
        }
        if certificate.hasExtendedKeyUsage {
            guard certificate.allowsServerAuth, certificate.allowsClientAuth else {
                throw refuse("extended key usage lacks server or client authentication")
            }
        }
        guard !certificate.uris.isEmpty else { throw refuse("missing URI SAN") }
        guard certificate.uris == [id.description] else { throw refuse("URI SAN is not \"\(id)\"") }
        try checkTime(certificate, now: now, refuse)
    }

    /// - Throws: `issuance.refused` naming the rule.
    package static func checkCA(_ certificate: CertificateSummary, trustDomain: TrustDomain, now: Date) throws {
        func refuse(_ reason: String) -> SpireError {
            SpireError(.issuanceRefused, "invalid X509 CA: \(reason)")
        }
        guard certificate.isCA == true else { throw refuse("basic constraints are missing or not those of a CA") }
        guard let usage = certificate.keyUsage, usage.contains(.keyCertSign) else {
            throw refuse("key usage lacks certificate signing")
        }
        guard usage.isSubset(of: [.keyCertSign, .crlSign, .digitalSignature]) else {
            throw refuse("key usage allows more than a CA may")
        }
        guard certificate.uris.isEmpty || certificate.uris == [trustDomain.id.description] else {
            throw refuse("URI SAN is not the trust domain ID")
        }
        try checkTime(certificate, now: now, refuse)
    }

    private static func checkTime(
        _ certificate: CertificateSummary, now: Date, _ refuse: (String) -> SpireError
    ) throws {
        let seconds = Int64(now.timeIntervalSince1970.rounded(.down))
        guard certificate.notBefore <= seconds else { throw refuse("not yet valid") }
        guard seconds <= certificate.notAfter else { throw refuse("already expired") }
    }
}
