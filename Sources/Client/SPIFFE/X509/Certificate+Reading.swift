// SPDX-License-Identifier: Apache-2.0

import SwiftASN1
public import X509

extension Certificate {
    /// Most bytes of one certificate that is parsed.
    static let maximumLength = 1 << 16

    /// Parses one DER certificate, which must fill `der`.
    /// - Throws: `invalid_x509_svid`.
    public init(spiffeDER der: some Sequence<UInt8>) throws(SPIFFEError) {
        let der = Array(der)
        guard der.count <= Self.maximumLength else {
            throw SPIFFEError(.invalidX509SVID, "certificate is larger than \(Self.maximumLength) bytes")
        }
        do {
            self = try Certificate(derEncoded: der)
        } catch {
            throw SPIFFEError(.invalidX509SVID, "malformed certificate: \(Self.complaint(error))")
        }
    }

    /// Parses DER certificates laid end to end, as the Workload API sends chains and bundles.
    /// - Throws: `invalid_x509_svid` when one is malformed or cut short, which is named if there are several. No bytes
    ///   give no certificates.
    public static func sequence(der: some Collection<UInt8>) throws(SPIFFEError) -> [Certificate] {
        let bytes = Array(der)
        var rest = bytes[...]
        var certificates: [Certificate] = []
        while !rest.isEmpty {
            do {
                let length = try elementLength(rest)
                certificates.append(try Certificate(spiffeDER: rest.prefix(length)))
                rest = rest.dropFirst(length)
            } catch {
                guard !certificates.isEmpty else { throw error }
                throw SPIFFEError(
                    error.code, "certificate \(certificates.count + 1), at byte \(rest.startIndex): \(error.message)")
            }
        }
        return certificates
    }

    /// Parses every `CERTIFICATE` block of a PEM text and skips blocks of other kinds.
    /// - Throws: `invalid_x509_svid`, which says what is wrong with which block.
    public static func sequence(pem: String) throws(SPIFFEError) -> [Certificate] {
        let blocks: [PEMBlock]
        do {
            blocks = try PEMBlock.all(pem)
        } catch {
            throw SPIFFEError(.invalidX509SVID, "certificates are not valid PEM: \(error)")
        }
        var certificates: [Certificate] = []
        for (index, block) in blocks.enumerated() where block.label == "CERTIFICATE" {
            do {
                certificates.append(try Certificate(spiffeDER: block.der))
            } catch {
                guard blocks.count > 1 else { throw error }
                throw SPIFFEError(error.code, "PEM block \(index + 1): \(error.message)")
            }
        }
        return certificates
    }

    /// Why the libraries do not read a certificate, for people: their own errors name types and source files.
    private static func complaint(_ error: any Error) -> String {
        guard let error = error as? ASN1Error else {
            return "its public key or its signature is damaged or of a kind that is not supported"
        }
        return switch error.code {
        case .truncatedASN1Field: "it ends within a field"
        case .unsupportedFieldLength: "the length of a field is not written as DER wants it"
        case .invalidASN1IntegerEncoding: "a number is not written as DER wants it"
        case .unexpectedFieldType: "a field is of another type than X.509 has in its place"
        case .invalidStringRepresentation, .tooFewOIDComponents: "a field does not hold what its type holds"
        default: "its fields are not those of an X.509 certificate"
        }
    }

    /// The certificate's DER, byte for byte as it was parsed.
    public var der: [UInt8] {
        var serializer = DER.Serializer()
        do {
            try serializer.serialize(self)
        } catch {
            preconditionFailure("a certificate that was parsed or made cannot fail to serialize: \(error)")
        }
        return serializer.serializedBytes
    }

    /// How many bytes the DER element at the front takes, header included.
    private static func elementLength(_ bytes: ArraySlice<UInt8>) throws(SPIFFEError) -> Int {
        let malformed = SPIFFEError(.invalidX509SVID, "malformed certificate: truncated")
        let start = bytes.startIndex
        guard bytes.count >= 2, bytes[start] == 0x30 else { throw malformed }
        let first = Int(bytes[start + 1])
        if first < 0x80 {
            guard bytes.count >= 2 + first else { throw malformed }
            return 2 + first
        }
        let count = first & 0x7f
        guard (1...3).contains(count), bytes.count >= 2 + count else { throw malformed }
        var length = 0
        for index in 0..<count { length = length << 8 | Int(bytes[start + 2 + index]) }
        guard bytes.count >= 2 + count + length else { throw malformed }
        return 2 + count + length
    }
}
