// SPDX-License-Identifier: Apache-2.0

import SwiftASN1
package import X509

/// The rules of the X.509-SVID standard for single certificates.
package enum X509Rules {
    /// Returns the SPIFFE ID a certificate carries: its one URI name.
    /// - Throws: `invalid_x509_svid`.
    /// > Spec: X509-SVID §2.
    package static func id(of certificate: Certificate) throws(SPIFFEError) -> SPIFFEID {
        guard let uri = try uris(of: certificate) else {
            throw SPIFFEError(.invalidX509SVID, "certificate contains no URI SAN")
        }
        do {
            return try SPIFFEID(uri)
        } catch {
            throw SPIFFEError(.invalidX509SVID, "invalid URI SAN: \(error.message)")
        }
    }

    /// The rules for a leaf that this process itself presents.
    static func checkOwnLeaf(_ leaf: Certificate) throws(SPIFFEError) -> SPIFFEID {
        let id = try leafID(leaf)
        if try isAuthority(leaf) {
            throw SPIFFEError(.invalidX509SVID, "leaf certificate must not have CA flag set to true")
        }
        let usage = try keyUsage(leaf)
        guard let usage, usage.digitalSignature else {
            throw SPIFFEError(.invalidX509SVID, "leaf certificate must have 'digitalSignature' set as key usage")
        }
        if usage.keyCertSign {
            throw SPIFFEError(.invalidX509SVID, "leaf certificate must not have 'keyCertSign' set as key usage")
        }
        if usage.cRLSign {
            throw SPIFFEError(.invalidX509SVID, "leaf certificate must not have 'cRLSign' set as key usage")
        }
        return id
    }

    /// The rules for intermediates that this process itself presents.
    static func checkOwnSigner(_ signer: Certificate) throws(SPIFFEError) {
        guard try isAuthority(signer) else {
            throw SPIFFEError(.invalidX509SVID, "signing certificate must have CA flag set to true")
        }
        guard try keyUsage(signer)?.keyCertSign ?? true else {
            throw SPIFFEError(.invalidX509SVID, "signing certificate must have 'keyCertSign' set as key usage")
        }
    }

    /// The rules for a leaf that somebody else presents. Wider than go-spiffe: the key must be for signatures and
    /// the ID must have a path, as the standard asks of validators.
    /// > Spec: X509-SVID §5.2.
    static func checkPresentedLeaf(_ leaf: Certificate) throws(SPIFFEError) -> SPIFFEID {
        let id = try leafID(leaf)
        if try isAuthority(leaf) {
            throw SPIFFEError(.invalidX509SVID, "leaf certificate with CA flag set to true")
        }
        if let usage = try keyUsage(leaf) {
            if usage.keyCertSign {
                throw SPIFFEError(.invalidX509SVID, "leaf certificate with KeyCertSign key usage")
            }
            if usage.cRLSign {
                throw SPIFFEError(.invalidX509SVID, "leaf certificate with KeyCrlSign key usage")
            }
            guard usage.digitalSignature else {
                throw SPIFFEError(.invalidX509SVID, "leaf certificate without DigitalSignature key usage")
            }
        } else {
            throw SPIFFEError(.invalidX509SVID, "leaf certificate without key usage")
        }
        return id
    }

    /// Whether basic constraints make the certificate an authority.
    static func isAuthority(_ certificate: Certificate) throws(SPIFFEError) -> Bool {
        switch try basicConstraints(certificate) {
        case .isCertificateAuthority: true
        case .notCertificateAuthority, .none: false
        }
    }

    static func basicConstraints(_ certificate: Certificate) throws(SPIFFEError) -> BasicConstraints? {
        do {
            return try certificate.extensions.basicConstraints
        } catch {
            throw SPIFFEError(.invalidX509SVID, "malformed basic constraints extension")
        }
    }

    static func keyUsage(_ certificate: Certificate) throws(SPIFFEError) -> KeyUsage? {
        do {
            return try certificate.extensions.keyUsage
        } catch {
            throw SPIFFEError(.invalidX509SVID, "malformed key usage extension")
        }
    }

    static func names(of certificate: Certificate) throws(SPIFFEError) -> SubjectAlternativeNames? {
        do {
            return try certificate.extensions.subjectAlternativeNames
        } catch {
            throw SPIFFEError(.invalidX509SVID, "malformed subject alternative name extension")
        }
    }

    /// The one URI name; `nil` when there is none.
    static func uris(of certificate: Certificate) throws(SPIFFEError) -> String? {
        guard let names = try names(of: certificate) else { return nil }
        var found: String?
        for case .uniformResourceIdentifier(let uri) in names {
            if found != nil {
                throw SPIFFEError(.invalidX509SVID, "certificate contains more than one URI SAN")
            }
            found = uri
        }
        return found
    }

    private static func leafID(_ leaf: Certificate) throws(SPIFFEError) -> SPIFFEID {
        let id: SPIFFEID
        do {
            id = try self.id(of: leaf)
        } catch {
            throw SPIFFEError(.invalidX509SVID, "cannot get leaf certificate SPIFFE ID: \(error.message)")
        }
        if id.path.isEmpty {
            throw SPIFFEError(.invalidX509SVID, "leaf certificate SPIFFE ID has no path")
        }
        return id
    }
}
