// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import SwiftASN1
import X509

/// What RFC 5280 asks of the single certificates of a path.
enum PathRules {
    static func checkValidity(_ certificate: Certificate, at time: Date) throws(SPIFFEError) {
        let notAfter = certificate.notValidAfter
        if time > notAfter {
            throw SPIFFEError(
                .untrusted,
                "x509: certificate has expired or is not yet valid: current time \(RFC3339.text(time)) is after "
                    + RFC3339.text(notAfter))
        }
        let notBefore = certificate.notValidBefore
        if time < notBefore {
            throw SPIFFEError(
                .untrusted,
                "x509: certificate has expired or is not yet valid: current time \(RFC3339.text(time)) is before "
                    + RFC3339.text(notBefore))
        }
    }

    /// An extension that is critical and not understood makes a certificate unusable. Certificate policies are
    /// understood in the sense that any policy is acceptable.
    static func checkCriticalExtensions(_ certificate: Certificate) throws(SPIFFEError) {
        for ext in certificate.extensions where ext.critical {
            switch ext.oid {
            case .X509ExtensionID.basicConstraints, .X509ExtensionID.keyUsage, .X509ExtensionID.nameConstraints,
                .X509ExtensionID.subjectAlternativeName, .X509ExtensionID.extendedKeyUsage, certificatePolicies:
                continue
            default:
                throw SPIFFEError(.untrusted, "x509: unhandled critical extension \(ext.oid)")
            }
        }
    }

    /// The rules for whoever signs: an authority, allowed to sign certificates, with enough path length left. An
    /// intermediate that is an SVID itself names a trust domain, not a workload.
    /// > Spec: RFC 5280 §4.2.1.3, §4.2.1.9; X509-SVID §3.2, §4.1.
    static func checkAuthority(
        _ certificate: Certificate, isRoot: Bool, authoritiesBelow: Int
    ) throws(SPIFFEError) {
        let notAuthorized = SPIFFEError(
            .untrusted, "x509: certificate is not authorized to sign other certificates")
        switch try X509Rules.basicConstraints(certificate) {
        case .none, .notCertificateAuthority:
            throw notAuthorized
        case .isCertificateAuthority(let maximum):
            if let maximum, authoritiesBelow > maximum {
                throw SPIFFEError(.untrusted, "x509: too many intermediates for path length constraint")
            }
        }
        if let usage = try X509Rules.keyUsage(certificate), !usage.keyCertSign { throw notAuthorized }
        guard !isRoot, let names = try X509Rules.names(of: certificate) else { return }
        for case .uniformResourceIdentifier(let uri) in names {
            if let id = try? SPIFFEID(uri), !id.path.isEmpty {
                throw SPIFFEError(.untrusted, "signing certificate has a SPIFFE ID with a path")
            }
        }
    }

    private static let certificatePolicies: ASN1ObjectIdentifier = [2, 5, 29, 32]
}
