// SPDX-License-Identifier: Apache-2.0

import Groundwork

/// The attributes of a subject name that certificates carry here. Others found in a request's subject are left out of
/// what is signed, as the original does.
package struct DistinguishedName: Sendable, Hashable {
    package var country: [String] = []
    package var organization: [String] = []
    package var organizationalUnit: [String] = []
    package var locality: [String] = []
    package var province: [String] = []
    package var streetAddress: [String] = []
    package var postalCode: [String] = []
    package var commonName = ""
    package var serialNumber = ""

    package init() {}

    package init(country: [String], organization: [String], commonName: String = "") {
        self.country = country
        self.organization = organization
        self.commonName = commonName
    }

    /// Subject of identities, `C=US, O=SPIRE`.
    package static let svid = DistinguishedName(country: ["US"], organization: ["SPIRE"])
    /// Subject of authorities unless configured, `C=US, O=SPIFFE`.
    package static let authority = DistinguishedName(country: ["US"], organization: ["SPIFFE"])
    /// `DistinguishedName.svid` encoded.
    package static let svidDER = svid.der

    package var isEmpty: Bool { self == DistinguishedName() }

    /// Reads the known attributes of a DER Name of at most 8 KiB.
    /// - Throws: `name_malformed`.
    /// > Spec: RFC 5280 §4.1.2.4.
    package init(der: [UInt8]) throws {
        do {
            try self.init(checking: der)
        } catch {
            throw SpireError(.nameMalformed, "malformed subject name: \(error)")
        }
    }

    private init(checking der: [UInt8]) throws(DERError) {
        guard der.count <= 8 << 10 else { throw DERError("too large") }
        var outer = DERReader(der)
        var names = try outer.enter(DER.sequence)
        try outer.finish()
        while !names.isAtEnd {
            var set = try names.enter(DER.set)
            while !set.isAtEnd {
                var pair = try set.enter(DER.sequence)
                let identifier = pair.contents(try pair.next(DER.objectID))
                let value = try pair.next()
                try pair.finish()
                guard identifier.count == 3, identifier.starts(with: [0x55, 0x04]), let kind = identifier.last,
                    let text = Self.text(value.tag, pair.contents(value))
                else { continue }
                switch kind {
                case 3: commonName = text
                case 5: serialNumber = text
                case 6: country.append(text)
                case 7: locality.append(text)
                case 8: province.append(text)
                case 9: streetAddress.append(text)
                case 10: organization.append(text)
                case 11: organizationalUnit.append(text)
                case 17: postalCode.append(text)
                default: continue
                }
            }
        }
    }

    private static func text(_ tag: UInt8, _ bytes: ArraySlice<UInt8>) -> String? {
        switch tag {
        case DER.utf8String, DER.printableString, DER.ia5String, 0x12:
            return String(validating: bytes, as: UTF8.self)
        case 0x14:  // T61String: read as Latin-1.
            return String(String.UnicodeScalarView(bytes.map { Unicode.Scalar($0) }))
        case 0x1e where bytes.count % 2 == 0:  // BMPString
            let units = stride(from: bytes.startIndex, to: bytes.endIndex, by: 2).map {
                UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1])
            }
            return String(validating: units, as: UTF16.self)
        default: return nil
        }
    }

    /// The DER Name, attributes in the order and string types the original gives them: PrintableString where every
    /// character allows it, else UTF8String; several values of one attribute share one set.
    package var der: [UInt8] {
        var content: [UInt8] = []
        func append(_ kind: UInt8, _ values: [String]) {
            if values.isEmpty { return }
            let pairs = values.map { value in
                DER.sequence([DER.objectID, 3, 0x55, 0x04, kind], DER.element(Self.tag(value), Array(value.utf8)))
            }
            let sorted = pairs.sorted { $0.lexicographicallyPrecedes($1) }
            content += DER.element(DER.set, Array(sorted.joined()))
        }
        append(6, country)
        append(10, organization)
        append(11, organizationalUnit)
        append(7, locality)
        append(8, province)
        append(9, streetAddress)
        append(17, postalCode)
        if !commonName.isEmpty { append(3, [commonName]) }
        if !serialNumber.isEmpty { append(5, [serialNumber]) }
        return DER.element(DER.sequence, content)
    }

    private static func tag(_ text: String) -> UInt8 {
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "'")...UInt8(ascii: ")"), UInt8(ascii: "+")...UInt8(ascii: "/"),
                UInt8(ascii: "0")...UInt8(ascii: ":"), UInt8(ascii: "="), UInt8(ascii: "?"), UInt8(ascii: " "):
                continue
            default: return DER.utf8String
            }
        }
        return DER.printableString
    }
}

extension DistinguishedName: CustomStringConvertible {
    /// The text form, last attribute first: `CN=web,O=SPIRE,C=US`.
    /// > Spec: RFC 2253 §2.
    package var description: String {
        var parts: [String] = []
        func append(_ name: String, _ values: [String]) {
            if values.isEmpty { return }
            parts.append(values.map { name + "=" + Self.escaped($0) }.joined(separator: "+"))
        }
        append("C", country)
        append("O", organization)
        append("OU", organizationalUnit)
        append("L", locality)
        append("ST", province)
        append("STREET", streetAddress)
        append("POSTALCODE", postalCode)
        append("CN", commonName.isEmpty ? [] : [commonName])
        append("SERIALNUMBER", serialNumber.isEmpty ? [] : [serialNumber])
        return parts.reversed().joined(separator: ",")
    }

    private static func escaped(_ value: String) -> String {
        var out = ""
        let scalars = Array(value.unicodeScalars)
        for (index, scalar) in scalars.enumerated() {
            let isEdge = index == 0 || index == scalars.count - 1
            switch scalar {
            case ",", "+", "\"", "\\", "<", ">", ";": out += "\\"
            case " " where isEdge: out += "\\"
            case "#" where index == 0: out += "\\"
            default: break
            }
            out.unicodeScalars.append(scalar)
        }
        return out
    }
}
