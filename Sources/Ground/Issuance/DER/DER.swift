// SPDX-License-Identifier: Apache-2.0

/// DER tags, and small values encoded. Values whose size is known beforehand are written straight into a buffer by
/// `header(_:_:into:)`; the rest is built from the inside out.
package enum DER {
    package static let boolean: UInt8 = 0x01
    package static let integer: UInt8 = 0x02
    package static let bitString: UInt8 = 0x03
    package static let octetString: UInt8 = 0x04
    package static let null: UInt8 = 0x05
    package static let objectID: UInt8 = 0x06
    package static let utf8String: UInt8 = 0x0c
    package static let printableString: UInt8 = 0x13
    package static let ia5String: UInt8 = 0x16
    package static let utcTime: UInt8 = 0x17
    package static let generalizedTime: UInt8 = 0x18
    package static let sequence: UInt8 = 0x30
    package static let set: UInt8 = 0x31

    /// Context-specific tag, such as `[0]`.
    package static func context(_ number: UInt8, constructed: Bool) -> UInt8 {
        (constructed ? 0xa0 : 0x80) | number
    }

    /// Size of the tag and length before `count` bytes of contents.
    package static func headerCount(_ count: Int) -> Int {
        count < 0x80 ? 2 : count <= 0xff ? 3 : count <= 0xffff ? 4 : 5
    }

    /// Size of a whole element with `count` bytes of contents.
    package static func total(_ count: Int) -> Int { headerCount(count) + count }

    /// Writes the tag and length of an element of `count` bytes, at most 16 MiB.
    package static func header(_ tag: UInt8, _ count: Int, into out: inout [UInt8]) {
        precondition(count <= 0xff_ffff, "elements are bounded far below 16 MiB")
        out.append(tag)
        if count < 0x80 {
            out.append(UInt8(count))
        } else if count <= 0xff {
            out.append(0x81)
            out.append(UInt8(count))
        } else if count <= 0xffff {
            out.append(0x82)
            out.append(UInt8(count >> 8))
            out.append(UInt8(count & 0xff))
        } else {
            out.append(0x83)
            out.append(UInt8(count >> 16))
            out.append(UInt8(count >> 8 & 0xff))
            out.append(UInt8(count & 0xff))
        }
    }

    /// One element around `contents`.
    package static func element(_ tag: UInt8, _ contents: some Collection<UInt8>) -> [UInt8] {
        var out: [UInt8] = []
        let count = contents.count
        out.reserveCapacity(total(count))
        header(tag, count, into: &out)
        out.append(contentsOf: contents)
        return out
    }

    /// A SEQUENCE of elements that are encoded already.
    package static func sequence(_ parts: [UInt8]...) -> [UInt8] { element(sequence, parts.flatMap { $0 }) }

    /// A BIT STRING of whole bytes.
    package static func octets(_ content: some Collection<UInt8>) -> [UInt8] { element(bitString, [0] + content) }

    /// Writes a non-negative INTEGER given as big-endian magnitude, leading zeros allowed.
    package static func unsigned(_ magnitude: some Collection<UInt8>, into out: inout [UInt8]) {
        let trimmed = magnitude.drop { $0 == 0 }
        guard let first = trimmed.first else {
            out.append(contentsOf: [integer, 1, 0])
            return
        }
        let pad = first >= 0x80
        header(integer, trimmed.count + (pad ? 1 : 0), into: &out)
        if pad { out.append(0) }
        out.append(contentsOf: trimmed)
    }

    /// Size of the whole INTEGER `unsigned` writes.
    package static func unsignedCount(_ magnitude: some Collection<UInt8>) -> Int {
        let trimmed = magnitude.drop { $0 == 0 }
        guard let first = trimmed.first else { return 3 }
        return total(trimmed.count + (first >= 0x80 ? 1 : 0))
    }
}

/// Object identifiers as whole elements (tag, length, value).
package enum OID {
    package static let ecPublicKey: [UInt8] = [6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1]
    package static let p256: [UInt8] = [6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7]
    package static let p384: [UInt8] = [6, 5, 0x2b, 0x81, 4, 0, 0x22]
    package static let p521: [UInt8] = [6, 5, 0x2b, 0x81, 4, 0, 0x23]
    package static let rsa: [UInt8] = [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1]
    package static let ed25519: [UInt8] = [6, 3, 0x2b, 0x65, 0x70]
    package static let ecdsaSHA256: [UInt8] = [6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2]
    package static let ecdsaSHA384: [UInt8] = [6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3]
    package static let ecdsaSHA512: [UInt8] = [6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 4]
    package static let rsaSHA256: [UInt8] = [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11]
    package static let rsaSHA384: [UInt8] = [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 12]
    package static let rsaSHA512: [UInt8] = [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 13]
    package static let extensionRequest: [UInt8] = [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 14]
    package static let subjectKeyID: [UInt8] = [6, 3, 0x55, 0x1d, 14]
    package static let keyUsage: [UInt8] = [6, 3, 0x55, 0x1d, 15]
    package static let subjectAltName: [UInt8] = [6, 3, 0x55, 0x1d, 17]
    package static let basicConstraints: [UInt8] = [6, 3, 0x55, 0x1d, 19]
    package static let authorityKeyID: [UInt8] = [6, 3, 0x55, 0x1d, 35]
    package static let extendedKeyUsage: [UInt8] = [6, 3, 0x55, 0x1d, 37]
    package static let serverAuth: [UInt8] = [6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 1]
    package static let clientAuth: [UInt8] = [6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 2]
}
