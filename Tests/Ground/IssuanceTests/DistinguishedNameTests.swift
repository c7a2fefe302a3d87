// SPDX-License-Identifier: Apache-2.0

import Groundwork
import Issuance
import Testing
import TestKit

@Suite struct DistinguishedNameTests {
    @Test("the default subject is C=US, O=SPIRE in printable strings")
    func svid() {
        #expect(Hex.text(DistinguishedName.svidDER) == "301d310b3009060355040613025553310e300c060355040a13055350495245")
    }

    @Test("text outside the printable alphabet is written as UTF-8", arguments: [
        ("plain (1)", UInt8(0x13)), ("a*b", 0x0c), ("a&b", 0x0c), ("a@b", 0x0c), ("Bücher", 0x0c), ("a_b", 0x0c),
    ])
    func stringTypes(_ text: String, _ tag: UInt8) throws {
        let name = DistinguishedName(country: [], organization: [text])
        #expect(name.der.contains(tag))
        #expect(name.der[11] == tag)
        #expect(try DistinguishedName(der: name.der) == name)
    }

    @Test("attributes keep the original's order, several values of one share a sorted set")
    func order() throws {
        var name = DistinguishedName(country: ["US"], organization: ["b", "a"], commonName: "cn")
        name.serialNumber = "7"
        name.organizationalUnit = ["unit"]
        #expect(try DistinguishedName(der: name.der).organization == ["a", "b"])
        #expect(name.description == "SERIALNUMBER=7,CN=cn,OU=unit,O=b+O=a,C=US")
        let output = try OpenSSL.inFolder { folder in
            try OpenSSL.write(name.der, folder + "/name")
            return try OpenSSL.run(["asn1parse", "-inform", "DER", "-in", folder + "/name"])
        }
        let values = output.text.split(separator: "\n").compactMap { $0.split(separator: ":").last }
        #expect(output.text.contains("PRINTABLESTRING"))
        #expect(values.filter { ["US", "a", "b", "unit", "cn", "7"].contains($0) } == ["US", "a", "b", "unit", "cn", "7"])
    }

    @Test("special characters are escaped in text")
    func escapes() {
        let name = DistinguishedName(country: [], organization: ["#a,b+c\"d\\e<f>g;h "])
        #expect(name.description == "O=\\#a\\,b\\+c\\\"d\\\\e\\<f\\>g\\;h\\ ")
    }

    @Test("a malformed name is refused")
    func malformed() {
        for der in [[], [0x31, 0], [0x30, 2, 0x31, 5], [0x30, 0, 0]] as [[UInt8]] {
            #expect(throws: SpireError(.nameMalformed, "")) { try DistinguishedName(der: der) }
        }
    }
}
