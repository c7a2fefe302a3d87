// SPDX-License-Identifier: Apache-2.0

import APIProtos
import CLISupport
import FoundationEssentials
import SPIFFE

/// The formats bundles are shown and set in.
enum BundleFormat {
    case pem
    case spiffe

    /// - Throws: `CommandFailure`.
    init(_ text: String) throws {
        switch text.lowercased() {
        case "", "pem": self = .pem
        case "spiffe": self = .spiffe
        default: throw CommandFailure("invalid format: \(GoText.quoted(text))")
        }
    }

    func text(_ bundle: Spire_Api_Types_Bundle) throws -> String {
        switch self {
        case .pem: return PEMText.certificates(bundle.x509Authorities.map(\.asn1))
        case .spiffe:
            let document = try SPIFFEBundle(
                TrustDomain(bundle.trustDomain),
                x509Authorities: bundle.x509Authorities.map { try .init(spiffeDER: $0.asn1) },
                jwtAuthorities: bundle.jwtAuthorities.map {
                    JWTAuthority(keyID: $0.keyID, publicKey: try PublicKey(spki: [UInt8]($0.publicKey)))
                },
                sequenceNumber: bundle.sequenceNumber,
                refreshHint: bundle.refreshHint > 0 ? .seconds(bundle.refreshHint) : nil
            ).document()
            return String(decoding: document, as: UTF8.self) + "\n"
        }
    }
}
