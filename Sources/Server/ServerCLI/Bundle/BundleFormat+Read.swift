// SPDX-License-Identifier: Apache-2.0

import APIProtos
import CLISupport
import FoundationEssentials
import SPIFFE
import X509

extension BundleFormat {
    /// Reads a bundle from a file's bytes. PEM text carries X.509 authorities only.
    ///
    /// - Parameters:
    ///   - malformedPEM: Begins the failure's text for PEM that cannot be read.
    ///   - malformedDocument: The same for a document.
    /// - Throws: `CommandFailure`.
    func read(
        _ data: [UInt8], _ trustDomain: TrustDomain, malformedPEM: String, malformedDocument: String
    ) throws -> Spire_Api_Types_Bundle {
        var bundle = Spire_Api_Types_Bundle()
        bundle.trustDomain = trustDomain.name
        switch self {
        case .pem:
            do {
                bundle.x509Authorities = try Certificate.sequence(pem: String(decoding: data, as: UTF8.self))
                    .map(Self.authority)
            } catch {
                throw CommandFailure("\(malformedPEM): \(error)")
            }
            // A bundle without authorities would take the trust from everything that is there.
            guard !bundle.x509Authorities.isEmpty else { throw CommandFailure("\(malformedPEM): no PEM blocks") }
        case .spiffe:
            let document: SPIFFEBundle
            do {
                document = try SPIFFEBundle(trustDomain, document: data)
            } catch {
                throw CommandFailure("\(malformedDocument): \(error)")
            }
            bundle.x509Authorities = document.x509Authorities.map(Self.authority)
            bundle.jwtAuthorities = document.jwtAuthorities.map { key in
                var out = Spire_Api_Types_JWTKey()
                out.keyID = key.keyID
                out.publicKey = Data(key.publicKey.spki)
                return out
            }
            if let hint = document.refreshHint { bundle.refreshHint = hint.components.seconds }
            bundle.sequenceNumber = document.sequenceNumber
        }
        return bundle
    }

    private static func authority(_ certificate: Certificate) -> Spire_Api_Types_X509Certificate {
        var authority = Spire_Api_Types_X509Certificate()
        authority.asn1 = Data(certificate.der)
        return authority
    }
}
