// SPDX-License-Identifier: Apache-2.0

import Crypto
import FoundationEssentials
import X509

enum TestCertificate {
    /// A self-signed certificate of this serial number.
    static func leaf(serial: UInt64, validUntil: Date) throws -> Certificate {
        let key = Certificate.PrivateKey(P256.Signing.PrivateKey())
        let name = try DistinguishedName { CommonName("leaf") }
        return try Certificate(
            version: .v3, serialNumber: .init(serial), publicKey: key.publicKey,
            notValidBefore: validUntil.addingTimeInterval(-3600), notValidAfter: validUntil, issuer: name,
            subject: name, signatureAlgorithm: .ecdsaWithSHA256, extensions: .init(), issuerPrivateKey: key)
    }
}
