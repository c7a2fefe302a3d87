// SPDX-License-Identifier: Apache-2.0

/// The part of a certificate that is signed. Every certificate issued here is written by `encoded`.
/// > Spec: RFC 5280 §4.1.
struct CertificateBody {
    /// 16 bytes, big-endian, not zero.
    var serial: [UInt8]
    /// DER AlgorithmIdentifier of the signature.
    var algorithm: [UInt8]
    /// DER Name.
    var issuer: [UInt8]
    /// Unix seconds.
    var notBefore: Int64
    /// Unix seconds.
    var notAfter: Int64
    /// DER Name.
    var subject: [UInt8]
    /// DER SubjectPublicKeyInfo.
    var spki: [UInt8]
    /// Whole extension elements, one after the other, in pieces.
    var extensions: [[UInt8]]

    /// The DER TBSCertificate, version 3, written in one pass into a buffer of its size.
    var encoded: [UInt8] {
        var validity: [UInt8] = []
        validity.reserveCapacity(34)
        CivilTime(unix: notBefore).writeASN1(into: &validity)
        CivilTime(unix: notAfter).writeASN1(into: &validity)
        let extensionCount = extensions.reduce(0) { $0 + $1.count }
        let count =
            5 + DER.unsignedCount(serial) + algorithm.count + issuer.count + DER.total(validity.count) + subject.count
            + spki.count + DER.total(DER.total(extensionCount))
        var out: [UInt8] = []
        out.reserveCapacity(DER.total(count))
        DER.header(DER.sequence, count, into: &out)
        out.append(contentsOf: [DER.context(0, constructed: true), 3, DER.integer, 1, 2])
        DER.unsigned(serial, into: &out)
        out.append(contentsOf: algorithm)
        out.append(contentsOf: issuer)
        DER.header(DER.sequence, validity.count, into: &out)
        out.append(contentsOf: validity)
        out.append(contentsOf: subject)
        out.append(contentsOf: spki)
        DER.header(DER.context(3, constructed: true), DER.total(extensionCount), into: &out)
        DER.header(DER.sequence, extensionCount, into: &out)
        for piece in extensions { out.append(contentsOf: piece) }
        return out
    }

    /// Puts a signed body, its algorithm and the signature together.
    static func seal(_ body: [UInt8], algorithm: [UInt8], signature: [UInt8]) -> [UInt8] {
        let count = body.count + algorithm.count + DER.total(signature.count + 1)
        var out: [UInt8] = []
        out.reserveCapacity(DER.total(count))
        DER.header(DER.sequence, count, into: &out)
        out.append(contentsOf: body)
        out.append(contentsOf: algorithm)
        DER.header(DER.bitString, signature.count + 1, into: &out)
        out.append(0)
        out.append(contentsOf: signature)
        return out
    }
}

extension SignatureScheme {
    /// DER AlgorithmIdentifier in certificates.
    /// > Spec: RFC 5758 §3.2, RFC 4055 §5.
    package var algorithmIdentifier: [UInt8] {
        switch self {
        case .ecdsaSHA256: Self.ecdsaSHA256DER
        case .ecdsaSHA384: Self.ecdsaSHA384DER
        case .rsaPKCS1SHA256: Self.rsaSHA256DER
        }
    }

    private static let ecdsaSHA256DER = DER.sequence(OID.ecdsaSHA256)
    private static let ecdsaSHA384DER = DER.sequence(OID.ecdsaSHA384)
    private static let rsaSHA256DER = DER.sequence(OID.rsaSHA256, [DER.null, 0])
}
