// SPDX-License-Identifier: Apache-2.0

import Groundwork
import APIProtos
import Crypto
import FoundationEssentials
import Issuance
import SPIFFE
import Synchronization
import X509

/// Somebody with certificates of their own making.
enum Stranger {
    static var trustDomain: TrustDomain { (try? TrustDomain("other.org")) ?? neverTrusted }
    private static var neverTrusted: TrustDomain { preconditionFailure("other.org is a trust domain") }

    /// A self-signed SVID of any ID.
    static func certificate(key: LocalKey, id: String) throws -> [UInt8] {
        let signer = try Certificate.PrivateKey(
            key.pkcs8.reveal { try P256.Signing.PrivateKey(derRepresentation: Data($0)) })
        let name = try DistinguishedName { CommonName("stranger") }
        return try Certificate(
            version: .v3, serialNumber: .init(), publicKey: signer.publicKey,
            notValidBefore: Date().addingTimeInterval(-60), notValidAfter: Date().addingTimeInterval(600),
            issuer: name, subject: name, signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try Certificate.Extensions {
                Critical(BasicConstraints.notCertificateAuthority)
                Critical(KeyUsage(digitalSignature: true))
                SubjectAlternativeNames([.uniformResourceIdentifier(id)])
            }, issuerPrivateKey: signer
        ).der
    }
}

/// Carries what one run of a server left to the next.
final class Kept: Sendable {
    private let state = Mutex<(AttestedAgent, Spire_Api_Types_Bundle)?>(nil)
    var value: (AttestedAgent, Spire_Api_Types_Bundle)? { state.withLock { $0 } }
    func set(_ agent: AttestedAgent, _ bundle: Spire_Api_Types_Bundle) { state.withLock { $0 = (agent, bundle) } }
}
