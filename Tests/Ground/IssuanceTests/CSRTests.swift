// SPDX-License-Identifier: Apache-2.0

import Groundwork
import Issuance
import SPIFFE
import SwiftASN1
import Testing
import TestKit
import X509

@Suite struct CSRTests {
    @Test("a request made here is verified by openssl and read back", arguments: [
        KeyType.ecP256, .ecP384, .rsa2048,
    ])
    func make(_ type: KeyType) throws {
        let key = try LocalKey.generate(type)
        let id = try SPIFFEID("spiffe://example.org/web")
        let der = try CSR.make(key: key, uri: id, dnsNames: ["a.example", "b.example"])
        let output = try OpenSSL.run(["req", "-inform", "DER", "-verify", "-noout", "-text"], input: der)
        #expect(output.status == 0)
        #expect(output.text.contains("verify OK"))
        #expect(output.text.contains("DNS:a.example, DNS:b.example, URI:spiffe://example.org/web"))
        #expect(output.text.contains("Subject: C = US, O = SPIRE"))
        let csr = try CSR.parse(der)
        try csr.verifySignature()
        #expect(csr.publicKey == key.publicKey)
        #expect(csr.uris == ["spiffe://example.org/web"])
        #expect(csr.dnsNames == ["a.example", "b.example"])
        #expect(try DistinguishedName(der: csr.subject) == .svid)
    }

    @Test("a request without names has none, as agents send it when they attest")
    func bare() throws {
        let der = try CSR.make(key: LocalKey.generate(.ecP256), uri: nil)
        let csr = try CSR.parse(der)
        try csr.verifySignature()
        #expect(csr.uris.isEmpty && csr.dnsNames.isEmpty)
        #expect(try OpenSSL.run(["req", "-inform", "DER", "-verify", "-noout"], input: der).text.contains("verify OK"))
    }

    @Test("requests that openssl made are read and verified", arguments: [
        ["ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-sha256"], ["ec", "-pkeyopt", "ec_paramgen_curve:P-521", "-sha512"],
        ["rsa:2048", "-sha384"], ["ed25519"],
    ])
    func foreign(_ key: [String]) throws {
        let der = try OpenSSL.bytes(
            ["req", "-new", "-nodes", "-keyout", "/dev/null", "-outform", "DER", "-subj", "/C=DE/O=Bücher/CN=web",
             "-utf8", "-addext", "subjectAltName=URI:spiffe://example.org/x,DNS:x.example,IP:10.0.0.1",
             "-addext", "keyUsage=digitalSignature", "-newkey"] + key)
        let csr = try CSR.parse(der)
        try csr.verifySignature()
        #expect(csr.uris == ["spiffe://example.org/x"])
        #expect(csr.dnsNames == ["x.example"])
        let subject = try DistinguishedName(der: csr.subject)
        #expect(subject.organization == ["Bücher"] && subject.commonName == "web" && subject.country == ["DE"])
    }

    @Test("a request signed with another key, or changed after signing, is not believed")
    func forged() throws {
        let id = try SPIFFEID("spiffe://example.org/web")
        let der = try CSR.make(key: LocalKey.generate(.ecP256), uri: id)
        let place = try #require(der.indices.first { der[$0...].starts(with: Array("/web".utf8)) })
        var changed = der
        changed[place + 1] = UInt8(ascii: "x")
        let csr = try CSR.parse(changed)
        #expect(csr.uris == ["spiffe://example.org/xeb"])
        #expect(throws: SpireError(.csrMalformed, "")) { try csr.verifySignature() }

        var swapped = der
        let other = try LocalKey.generate(.ecP256).publicKey.spki
        let spki = try CSR.parse(der).publicKey.spki
        let at = try #require(der.indices.first { der[$0...].starts(with: spki) })
        swapped.replaceSubrange(at..<(at + spki.count), with: other)
        #expect(throws: SpireError(.csrMalformed, "")) { try CSR.parse(swapped).verifySignature() }
    }

    @Test("a request over 16 KiB is refused before it is read")
    func large() throws {
        let names = (0..<1200).map { "name-number-\($0).example" }
        let der = try CSR.make(key: LocalKey.generate(.ecP256), uri: nil, dnsNames: names)
        #expect(der.count > 16 << 10)
        let error = #expect(throws: SpireError.self) { try CSR.parse(der) }
        #expect(error?.message == "larger than 16384 bytes")
    }

    @Test("a request with trailing bytes is refused")
    func trailing() throws {
        let der = try CSR.make(key: LocalKey.generate(.ecP256), uri: nil)
        #expect(throws: SpireError(.csrMalformed, "")) { try CSR.parse(der + [0]) }
        #expect(throws: SpireError(.csrMalformed, "")) { try CSR.parse([]) }
    }

    @Test("every cut and every flipped byte gives an error or a request, never a crash")
    func mutations() throws {
        let der = try CSR.make(
            key: LocalKey.generate(.ecP256), uri: SPIFFEID("spiffe://example.org/web"), dnsNames: ["a.example"])
        for index in der.indices {
            for flip in [UInt8(0x01), 0x80, 0xff, 0x20] {
                var copy = der
                copy[index] ^= flip
                if let csr = try? CSR.parse(copy) { #expect(throws: SpireError.self) { try csr.verifySignature() } }
            }
            #expect(throws: SpireError.self) { try CSR.parse(Array(der[..<index])) }
        }
    }

    @Test("a request is read as swift-certificates reads it")
    func oracle() throws {
        let der = try CSR.make(
            key: LocalKey.generate(.ecP256), uri: SPIFFEID("spiffe://example.org/web"), dnsNames: ["a.example"])
        let request = try CertificateSigningRequest(derEncoded: der)
        var serializer = SwiftASN1.DER.Serializer()
        try serializer.serialize(request)
        #expect(serializer.serializedBytes == der)
        let extensions = try #require(try request.attributes.extensionRequest?.extensions)
        #expect(try extensions.subjectAlternativeNames?.contains(.uniformResourceIdentifier("spiffe://example.org/web")) == true)
    }

    @Test("a DNS name that is not ASCII is refused when making a request")
    func unicodeName() throws {
        #expect(throws: SpireError.self) { try CSR.make(key: LocalKey.generate(.ecP256), uri: nil, dnsNames: ["bücher.example"]) }
    }
}
