// SPDX-License-Identifier: Apache-2.0

package import FoundationEssentials
import Groundwork

/// The facts of one certificate, read in one pass over its DER. It says what the certificate claims; whether to
/// believe it is the verifier's business.
/// > Spec: RFC 5280 §4.1, §4.2.
package struct CertificateSummary: Sendable {
    /// Most bytes of a certificate read here.
    package static let maximumCount = 64 << 10

    package let der: [UInt8]
    /// Magnitude, big-endian, without leading zeros.
    package let serial: [UInt8]
    /// DER Name.
    package let issuer: [UInt8]
    /// DER Name.
    package let subject: [UInt8]
    /// Unix seconds.
    package let notBefore: Int64
    /// Unix seconds.
    package let notAfter: Int64
    /// DER SubjectPublicKeyInfo.
    package let spki: [UInt8]
    package private(set) var subjectKeyID: [UInt8] = []
    package private(set) var authorityKeyID: [UInt8] = []
    package private(set) var uris: [String] = []
    package private(set) var dnsNames: [String] = []
    /// `nil` without basic constraints.
    package private(set) var isCA: Bool?
    /// `nil` without a path length.
    package private(set) var pathLength: Int?
    /// `nil` without key usage.
    package private(set) var keyUsage: KeyUsage?
    package private(set) var hasExtendedKeyUsage = false
    package private(set) var allowsServerAuth = false
    package private(set) var allowsClientAuth = false
    private let bodyRange: Range<Int>
    private let algorithmRange: Range<Int>
    private let signatureRange: Range<Int>

    /// - Throws: `certificate_malformed`, also for more than 64 KiB or an extension that is there twice.
    package init(_ der: [UInt8]) throws {
        do {
            try self.init(checking: der)
        } catch {
            throw SpireError(.certificateMalformed, "malformed certificate: \(error)")
        }
    }

    private init(checking der: [UInt8]) throws(DERError) {
        guard der.count <= Self.maximumCount else { throw DERError("too large") }
        self.der = der
        var outer = DERReader(der)
        var certificate = try outer.enter(DER.sequence)
        try outer.finish()
        let bodyElement = try certificate.next(DER.sequence)
        bodyRange = bodyElement.outset..<bodyElement.end
        let algorithm = try certificate.next(DER.sequence)
        algorithmRange = algorithm.outset..<algorithm.end
        let signature = try certificate.octets()
        signatureRange = signature.startIndex..<signature.endIndex
        try certificate.finish()

        var body = certificate.reader(bodyElement)
        if let version = try body.optional(DER.context(0, constructed: true)) {
            var inner = body.reader(version)
            guard try inner.unsigned().count <= 1 else { throw DERError("unknown version") }
        }
        serial = Array(try body.unsigned())
        let repeated = try body.next(DER.sequence)
        guard der[algorithmRange].elementsEqual(body.whole(repeated)) else {
            throw DERError("the two signature algorithms differ")
        }
        issuer = Array(body.whole(try body.next(DER.sequence)))
        var validity = try body.enter(DER.sequence)
        notBefore = try validity.time()
        notAfter = try validity.time()
        try validity.finish()
        subject = Array(body.whole(try body.next(DER.sequence)))
        spki = Array(body.whole(try body.next(DER.sequence)))
        _ = try body.optional(DER.context(1, constructed: false))
        _ = try body.optional(DER.context(2, constructed: false))
        if let wrapped = try body.optional(DER.context(3, constructed: true)) {
            var inner = body.reader(wrapped)
            var list = try inner.enter(DER.sequence)
            try inner.finish()
            try readExtensions(&list)
        }
        try body.finish()
    }

    private mutating func readExtensions(_ list: inout DERReader) throws(DERError) {
        // One bit an arc: they are below 128, as one content byte is read.
        var seen: UInt128 = 0
        while !list.isAtEnd {
            var item = try list.enter(DER.sequence)
            let identifier = item.contents(try item.next(DER.objectID))
            if item.nextTag == DER.boolean { _ = try item.boolean() }
            let value = try item.next(DER.octetString)
            try item.finish()
            // Only the id-ce arc holds extensions read here.
            guard identifier.count == 3, identifier.starts(with: [0x55, 0x1d]), let kind = identifier.last else {
                continue
            }
            guard kind < 128, seen & (1 << UInt128(kind)) == 0 else { throw DERError("extension is there twice") }
            seen |= 1 << UInt128(kind)
            var content = item.reader(value)
            switch kind {
            case 14: subjectKeyID = Array(content.contents(try content.next(DER.octetString)))
            case 15: keyUsage = try Self.readKeyUsage(&content)
            case 17:
                var names = try content.enter(DER.sequence)
                (dnsNames, uris) = try GeneralNames.read(&names)
            case 19:
                var inner = try content.enter(DER.sequence)
                isCA = inner.nextTag == DER.boolean ? try inner.boolean() : false
                if !inner.isAtEnd {
                    let length = try inner.unsigned()
                    guard length.count <= 2 else { throw DERError("path length is too large") }
                    pathLength = length.reduce(0) { $0 << 8 | Int($1) }
                }
            case 35:
                var inner = try content.enter(DER.sequence)
                if let id = try inner.optional(DER.context(0, constructed: false)) {
                    authorityKeyID = Array(inner.contents(id))
                }
            case 37: try readExtendedKeyUsage(&content)
            default: continue
            }
            try content.finish()
        }
    }

    private static func readKeyUsage(_ content: inout DERReader) throws(DERError) -> KeyUsage {
        let bits = content.contents(try content.next(DER.bitString))
        guard bits.count <= 3, let unused = bits.first, unused < 8 else { throw DERError("bad key usage") }
        var raw: UInt16 = 0
        for (index, byte) in bits.dropFirst().enumerated() { raw |= UInt16(byte) << (index == 0 ? 8 : 0) }
        return KeyUsage(rawValue: raw)
    }

    private mutating func readExtendedKeyUsage(_ content: inout DERReader) throws(DERError) {
        hasExtendedKeyUsage = true
        var list = try content.enter(DER.sequence)
        while !list.isAtEnd {
            let purpose = list.whole(try list.next(DER.objectID))
            if purpose.elementsEqual(OID.serverAuth) { allowsServerAuth = true }
            if purpose.elementsEqual(OID.clientAuth) { allowsClientAuth = true }
        }
    }

    /// The serial number as the datastore and logs have it.
    package var serialNumber: String { DecimalNumber.text(serial) }

    package var validFrom: Date { Date(timeIntervalSince1970: Double(notBefore)) }
    package var validUntil: Date { Date(timeIntervalSince1970: Double(notAfter)) }

    /// What was signed.
    package var body: ArraySlice<UInt8> { der[bodyRange] }

    /// The public key, checked.
    /// - Throws: `key_malformed`.
    package func publicKey() throws -> SubjectPublicKey { try SubjectPublicKey(spki: spki) }

    /// Whether `issuer`'s key made this certificate's signature. Says nothing about names, times or usages.
    package func isSigned(by issuer: SubjectPublicKey) -> Bool {
        issuer.verifies(der[signatureRange], of: body, algorithm: der[algorithmRange])
    }
}

/// The names of a subjectAltName that matter here.
enum GeneralNames {
    static func read(_ list: inout DERReader) throws(DERError) -> (dnsNames: [String], uris: [String]) {
        var dnsNames: [String] = []
        var uris: [String] = []
        while !list.isAtEnd {
            let name = try list.next()
            guard name.tag == 0x82 || name.tag == 0x86 else { continue }
            let bytes = list.contents(name)
            guard bytes.allSatisfy({ $0 < 0x80 }) else { throw DERError("alternative name is not ASCII") }
            let text = String(decoding: bytes, as: UTF8.self)
            if name.tag == 0x82 { dnsNames.append(text) } else { uris.append(text) }
        }
        return (dnsNames, uris)
    }
}

/// Decimal text of big-endian numbers.
package enum DecimalNumber {
    package static func text(_ magnitude: some Collection<UInt8>) -> String {
        let digits = magnitude.drop { $0 == 0 }
        if digits.count <= 16 {
            var value: UInt128 = 0
            for byte in digits { value = value << 8 | UInt128(byte) }
            return String(value)
        }
        // Base 10^9, least significant first.
        var limbs: [UInt32] = [0]
        for byte in digits {
            var carry = UInt64(byte)
            for index in limbs.indices {
                let value = UInt64(limbs[index]) << 8 + carry
                limbs[index] = UInt32(value % 1_000_000_000)
                carry = value / 1_000_000_000
            }
            if carry > 0 { limbs.append(UInt32(carry)) }
        }
        var text = String(limbs[limbs.count - 1])
        for limb in limbs.dropLast().reversed() {
            let part = String(limb)
            text += String(repeating: "0", count: 9 - part.count) + part
        }
        return text
    }
}
