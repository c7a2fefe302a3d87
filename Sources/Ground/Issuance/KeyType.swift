// SPDX-License-Identifier: Apache-2.0

/// The kinds of asymmetric keys the product makes and signs with. Raw values are SPIRE's configuration words.
package enum KeyType: String, Sendable, Hashable, CaseIterable {
    case ecP256 = "ec-p256"
    case ecP384 = "ec-p384"
    case rsa2048 = "rsa-2048"
    case rsa4096 = "rsa-4096"
}

/// How a signature is made. A key type has one for certificates and one for tokens, which may differ by name only.
package enum SignatureScheme: Sendable, Hashable {
    /// Signature bytes are DER `ECDSA-Sig-Value`.
    case ecdsaSHA256, ecdsaSHA384
    case rsaPKCS1SHA256
}
