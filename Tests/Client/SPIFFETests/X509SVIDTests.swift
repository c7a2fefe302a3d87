// SPDX-License-Identifier: Apache-2.0

import Testing
import X509

@testable import SPIFFE

@Suite struct X509SVIDTests {
    let leafKey = Fixtures.der(Fixtures.chains["leafKey"])

    @Test("keys of every kind come in with their leaf", arguments: ["p256", "p384", "p521", "rsa"])
    func keys(kind: String) throws {
        let fixture = try #require(Fixtures.chains["keys"]?.object?[kind]?.object)
        let leaf = Fixtures.der(fixture["leaf"])
        let pkcs8 = Fixtures.der(fixture["pkcs8"])
        let svid = try X509SVID(der: leaf, pkcs8: pkcs8, hint: "internal")
        #expect(svid.id.description == "spiffe://example.org/web")
        #expect(svid.hint == "internal")
        #expect(try PrivateKey(pkcs8: svid.privateKey.pkcs8).publicKey == svid.privateKey.publicKey)
        // OpenSSL's older form of the same key.
        let pem = try #require(fixture["pem"]?.string)
        #expect(try PrivateKey(pem: pem).publicKey == svid.privateKey.publicKey)
        #expect(try PublicKey(spki: svid.privateKey.publicKey.spki) == svid.privateKey.publicKey)
    }

    @Test("a chain is kept in order, leaf first")
    func chain() throws {
        let certificates = try Fixtures.certificates(Fixtures.chains["intermediate"])
        let svid = try X509SVID(der: certificates.flatMap(\.der), pkcs8: leafKey)
        #expect(svid.chain == certificates)
        #expect(svid.leaf == certificates[0])
        #expect(svid.notBefore < svid.notAfter)
    }

    @Test("somebody else's key is refused")
    func wrongKey() throws {
        let leaf = try Fixtures.certificates(Fixtures.chains["intermediate"])[0]
        #expect(message { _ = try X509SVID(chain: [leaf], privateKey: .generate()) } == "leaf certificate does not match private key")
        #expect(throws: SPIFFEError(.invalidX509SVID, "")) { try X509SVID(chain: [], privateKey: .generate()) }
    }

    @Test("a chain through something that is no authority is refused")
    func notAuthority() throws {
        let leaf = try Fixtures.certificates(Fixtures.chains["intermediate"])[0]
        #expect(message { _ = try X509SVID(chain: [leaf, leaf], privateKey: PrivateKey(pkcs8: leafKey)) }
            == "signing certificate must have CA flag set to true")
    }

    @Test(
        "leaves that break a rule are refused before their key is looked at",
        arguments: [
            ("a leaf with CA flag", "must not have CA flag"),
            ("a leaf with keyCertSign", "must not have 'keyCertSign'"),
            ("a leaf with cRLSign", "must not have 'cRLSign'"),
            ("a leaf without digitalSignature", "must have 'digitalSignature'"),
            ("a leaf without key usage", "must have 'digitalSignature'"),
            ("no URI", "contains no URI SAN"),
            ("two URIs", "more than one URI SAN"),
            ("a URI of another scheme", "scheme is missing or invalid"),
            ("a trust domain's ID", "has no path"),
        ])
    func rules(name: String, reason: String) throws {
        let fixture = try #require(FixtureCase.all(Fixtures.chains, "cases").first { $0.name == name })
        let leaf = try #require(try Fixtures.certificates(fixture.members["chain"]).first)
        let text = message { _ = try X509SVID(chain: [leaf], privateKey: PrivateKey(pkcs8: leafKey)) }
        #expect(text?.contains(reason) == true, "\(text ?? "accepted")")
    }

    @Test("a private key never prints")
    func secrecy() throws {
        let key = try PrivateKey(pkcs8: leafKey)
        for text in ["\(key)", String(reflecting: key), "\([key])"] { #expect(text.contains("(private key)")) }
        var dumped = ""
        dump(key, to: &dumped)
        #expect(dumped.count < 40)
    }

    @Test("malformed keys are refused, cut ones at every length")
    func malformedKeys() {
        for length in 0..<leafKey.count {
            #expect(throws: SPIFFEError(.invalidKey, "")) { try PrivateKey(pkcs8: Array(leafKey[..<length])) }
        }
        #expect(throws: SPIFFEError(.invalidKey, "")) { try PrivateKey(pem: "") }
        #expect(throws: SPIFFEError(.invalidKey, "")) { try PrivateKey(pem: "-----BEGIN PRIVATE KEY-----\nAAAA\n") }
        #expect(throws: SPIFFEError(.invalidKey, "")) { try PublicKey(spki: [0x30, 0x03, 1, 2, 3]) }
    }
}
