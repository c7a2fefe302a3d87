// SPDX-License-Identifier: Apache-2.0

import SwiftASN1
public import X509

/// Reading and writing the PEM texts that hold certificates.
enum PEM {
    /// Most bytes of a PEM text that are looked at.
    static let maximumLength = 4 << 20

    static func blocks(_ text: String) throws -> [PEMDocument] {
        guard text.utf8.count <= maximumLength else {
            throw SPIFFEError(.invalidX509SVID, "PEM text is too large")
        }
        return try PEMDocument.parseMultiple(pemString: text)
    }
}

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
            throw SPIFFEError(.invalidX509SVID, "malformed certificate: \(error)")
        }
    }

    /// Parses DER certificates laid end to end, as the Workload API sends chains and bundles.
    /// - Throws: `invalid_x509_svid` when one is malformed or cut short. No bytes give no certificates.
    public static func sequence(der: some Collection<UInt8>) throws(SPIFFEError) -> [Certificate] {
        var rest = ArraySlice(der)
        var certificates: [Certificate] = []
        while !rest.isEmpty {
            let length = try elementLength(rest)
            certificates.append(try Certificate(spiffeDER: rest.prefix(length)))
            rest = rest.dropFirst(length)
        }
        return certificates
    }

    /// Parses every `CERTIFICATE` block of a PEM text and skips blocks of other kinds.
    /// - Throws: `invalid_x509_svid`.
    public static func sequence(pem: String) throws(SPIFFEError) -> [Certificate] {
        let blocks: [PEMDocument]
        do {
            blocks = try PEM.blocks(pem)
        } catch {
            throw SPIFFEError(.invalidX509SVID, "certificates are not valid PEM")
        }
        var certificates: [Certificate] = []
        for block in blocks where block.discriminator == "CERTIFICATE" {
            certificates.append(try Certificate(spiffeDER: block.derBytes))
        }
        return certificates
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
