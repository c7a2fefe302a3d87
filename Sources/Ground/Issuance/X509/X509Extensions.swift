// SPDX-License-Identifier: Apache-2.0

import Groundwork

/// What a key may be used for.
/// > Spec: RFC 5280 §4.2.1.3.
package struct KeyUsage: OptionSet, Sendable, Hashable {
    package let rawValue: UInt16
    package init(rawValue: UInt16) { self.rawValue = rawValue }
    package static let digitalSignature = KeyUsage(rawValue: 0x8000)
    package static let keyEncipherment = KeyUsage(rawValue: 0x2000)
    package static let keyAgreement = KeyUsage(rawValue: 0x0800)
    package static let keyCertSign = KeyUsage(rawValue: 0x0400)
    package static let crlSign = KeyUsage(rawValue: 0x0200)
}

/// Extensions as whole elements, in the encodings the original gives them.
package enum X509Extensions {
    /// keyUsage (critical), extKeyUsage, basicConstraints (critical) of identities: the part that never varies.
    package static let svidHead: [UInt8] =
        extensionOf(OID.keyUsage, critical: true, [DER.bitString, 2, 3, 0xa8])
        + extensionOf(OID.extendedKeyUsage, critical: false, DER.sequence(OID.serverAuth, OID.clientAuth))
        + extensionOf(OID.basicConstraints, critical: true, [DER.sequence, 0])

    /// keyUsage and basicConstraints of authorities, both critical.
    package static let authorityHead: [UInt8] =
        extensionOf(OID.keyUsage, critical: true, [DER.bitString, 2, 1, 0x06])
        + extensionOf(OID.basicConstraints, critical: true, DER.sequence([DER.boolean, 1, 0xff]))

    package static func subjectKeyID(_ id: [UInt8]) -> [UInt8] {
        extensionOf(OID.subjectKeyID, critical: false, DER.element(DER.octetString, id))
    }

    package static func authorityKeyID(_ id: [UInt8]) -> [UInt8] {
        extensionOf(
            OID.authorityKeyID, critical: false, DER.sequence(DER.element(DER.context(0, constructed: false), id)))
    }

    /// DNS names in order, then URIs.
    /// - Parameter critical: True where the subject is empty.
    /// - Throws: `refused` for a name that is not ASCII.
    package static func subjectAltName(dnsNames: [String], uris: [String], critical: Bool = false) throws -> [UInt8] {
        var names: [UInt8] = []
        for (tag, values) in [(UInt8(0x82), dnsNames), (UInt8(0x86), uris)] {
            for value in values {
                guard value.utf8.allSatisfy({ $0 < 0x80 }) else {
                    throw SpireError(.issuanceRefused, "\"\(value)\" cannot be encoded as an IA5String")
                }
                DER.header(tag, value.utf8.count, into: &names)
                names.append(contentsOf: value.utf8)
            }
        }
        return extensionOf(OID.subjectAltName, critical: critical, DER.element(DER.sequence, names))
    }

    private static func extensionOf(_ identifier: [UInt8], critical: Bool, _ value: [UInt8]) -> [UInt8] {
        let flag: [UInt8] = critical ? [DER.boolean, 1, 0xff] : []
        let count = identifier.count + flag.count + DER.total(value.count)
        var out: [UInt8] = []
        out.reserveCapacity(DER.total(count))
        DER.header(DER.sequence, count, into: &out)
        out.append(contentsOf: identifier)
        out.append(contentsOf: flag)
        DER.header(DER.octetString, value.count, into: &out)
        out.append(contentsOf: value)
        return out
    }
}
