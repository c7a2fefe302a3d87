// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Groundwork
import SPIFFE
import SwiftASN1
import Testing
import TestKit
import X509

@testable import Issuance

@Suite struct X509CATests {
    private let now = Date(timeIntervalSince1970: 1_795_223_041.7)

    @Test("certificates of every key type verify in openssl, through an intermediate too", arguments: [
        KeyType.ecP256, .ecP384, .rsa2048,
    ])
    func verifies(_ type: KeyType) async throws {
        let root = try await TestCA.root(type: type)
        let middle = try await root.intermediate(type: type)
        for ca in [root, middle] {
            let svid = try await ca.svid("/web", dnsNames: ["web.example.org"])
            try OpenSSL.inFolder { folder in
                try OpenSSL.write(OpenSSL.pem(root.certificate), folder + "/root")
                try OpenSSL.write(svid.chain.flatMap { OpenSSL.pem($0) }, folder + "/chain")
                let output = try OpenSSL.run([
                    "verify", "-x509_strict", "-check_ss_sig", "-purpose", "sslserver", "-CAfile", folder + "/root",
                    "-untrusted", folder + "/chain", folder + "/chain",
                ])
                #expect(output.status == 0, "\(output.text)")
            }
        }
    }

    @Test("a self-signed authority has the original's fields, order and critical flags")
    func rootTemplate() async throws {
        let ca = try await TestCA.root(ttl: .seconds(3600), now: now)
        let certificate = try CertificateSummary(ca.certificate)
        let serial = certificate.serialNumber
        let text = try OpenSSL.run(["x509", "-inform", "DER", "-noout", "-text"], input: ca.certificate).text
        #expect(text.contains("Subject: C = US, O = SPIFFE, serialNumber = \(serial)"))
        #expect(certificate.issuer == certificate.subject)
        #expect(Self.headings(text) == [
            "X509v3 Key Usage: critical", "X509v3 Basic Constraints: critical", "X509v3 Subject Key Identifier:",
            "X509v3 Subject Alternative Name:",
        ])
        #expect(text.contains("Certificate Sign, CRL Sign") && text.contains("CA:TRUE\n"))
        #expect(certificate.uris == ["spiffe://example.org"])
        #expect(certificate.notBefore == 1_795_223_031 && certificate.notAfter == 1_795_226_641)
        #expect(certificate.authorityKeyID.isEmpty && certificate.pathLength == nil)
    }

    @Test("an identity has the original's fields, order and critical flags")
    func leafTemplate() async throws {
        let ca = try await TestCA.root(now: now)
        let svid = try await ca.svid("/web", dnsNames: ["web.example.org", "b.example"], now: now)
        let leaf = try svid.leaf
        let text = try OpenSSL.run(["x509", "-inform", "DER", "-noout", "-text"], input: leaf.der).text
        #expect(text.contains("Subject: C = US, O = SPIRE, CN = web.example.org\n"))
        #expect(Self.headings(text) == [
            "X509v3 Key Usage: critical", "X509v3 Extended Key Usage:", "X509v3 Basic Constraints: critical",
            "X509v3 Subject Key Identifier:", "X509v3 Authority Key Identifier:", "X509v3 Subject Alternative Name:",
        ])
        #expect(text.contains("Digital Signature, Key Encipherment, Key Agreement\n"))
        #expect(text.contains("TLS Web Server Authentication, TLS Web Client Authentication\n"))
        #expect(text.contains("DNS:web.example.org, DNS:b.example, URI:spiffe://example.org/web\n"))
        #expect(leaf.authorityKeyID == ca.key.publicKey.subjectKeyID)
        #expect(leaf.isCA == false)
    }

    private static func headings(_ text: String) -> [String] {
        var found: [String] = []
        for line in text.split(separator: "\n") {
            let line = line.trimmingPrefix { $0 == " " }
            guard line.hasPrefix("X509v3 "), line != "X509v3 extensions:" else { continue }
            found.append(String(line.hasSuffix(" ") ? line.dropLast() : line))
        }
        return found
    }

    @Test("the original's certificates are written again from their facts, byte for byte", arguments: [
        "agent", "server", "svid.0", "svid.1", "svid.2", "bundle.0",
    ])
    func sample(_ name: String) throws {
        guard let der = try Samples.certificates("issued/\(name).pem")?.first else { return }
        let facts = try CertificateSummary(der)
        let isCA = facts.isCA == true
        let key = try PublicKeyInfo(spki: facts.spki)
        #expect(key.subjectKeyID == facts.subjectKeyID)
        let names = try X509Extensions.subjectAltName(dnsNames: facts.dnsNames, uris: facts.uris)
        let body = CertificateBody(
            serial: facts.serial, algorithm: SignatureScheme.ecdsaSHA256.algorithmIdentifier,
            issuer: try DistinguishedName(der: facts.issuer).der, notBefore: facts.notBefore, notAfter: facts.notAfter,
            subject: try DistinguishedName(der: facts.subject).der, spki: facts.spki,
            extensions: [
                isCA ? X509Extensions.authorityHead : X509Extensions.svidHead,
                X509Extensions.subjectKeyID(key.subjectKeyID),
                isCA ? [] : X509Extensions.authorityKeyID(facts.authorityKeyID), names,
            ])
        #expect(body.encoded == Array(facts.body))
    }

    @Test("random identities are the same bytes after swift-certificates read and wrote them")
    func oracle() async throws {
        let random = SeededRandom()
        let ca = try await TestCA.root(now: now)
        let key = try LocalKey.generate(.ecP256)
        for round in 0..<150 {
            let path = "/" + String(repeating: "p", count: Int(random.next() % 1900) + 1)
            let dnsNames = (0..<Int(random.next() % 8)).map { "n\($0)-\(random.next() % 1000).example" }
            let ttl = Int64(random.next() % 90_000) + 1
            let svid = try await ca.certify(key, path, dnsNames: dnsNames, ttl: .seconds(ttl), now: now)
            let der = try #require(svid.chain.first)
            let certificate = try Certificate(derEncoded: der)
            var serializer = SwiftASN1.DER.Serializer()
            try serializer.serialize(certificate)
            #expect(serializer.serializedBytes == der, "round \(round)")
            let leaf = try CertificateSummary(der)
            #expect(leaf.serial == Array(certificate.serialNumber.bytes.drop { $0 == 0 }))
            #expect(certificate.notValidBefore == leaf.validFrom && certificate.notValidAfter == leaf.validUntil)
            #expect(leaf.notAfter == min(1_795_223_041 + ttl, 1_795_223_041 + 86_400))
            #expect(leaf.uris == [svid.id.description] && leaf.dnsNames == dnsNames)
            #expect(leaf.isSigned(by: try SubjectPublicKey(spki: ca.key.publicKey.spki)))
        }
    }

    @Test("serial numbers are 1 to 16 bytes, never zero, never equal")
    func serials() async throws {
        let ca = try await TestCA.root()
        let key = try LocalKey.generate(.ecP256)
        var seen: Set<String> = []
        for _ in 0..<300 {
            let leaf = try await ca.certify(key, "/x").leaf
            #expect((1...16).contains(leaf.serial.count))
            #expect(seen.insert(leaf.serialNumber).inserted)
        }
    }

    @Test("a source of randomness that gives zeros first does not give a serial number of zero")
    func zeroSerial() async throws {
        final class ZeroesFirst: RandomSource {
            private let real = SeededRandom()
            private let count = SeededRandom(seed: 0)
            func next() -> UInt64 { real.next() % 3 == 0 ? 0 : count.next() }
        }
        let key = try LocalKey.generate(.ecP256)
        let ca = try await X509CA.selfSigned(
            signer: key, trustDomain: TrustDomain("example.org"), subject: .authority, ttl: .seconds(60), now: now,
            random: ZeroesFirst())
        #expect(!ca.certificate.serial.isEmpty)
    }

    @Test("a lifetime ends with the authority's at the latest")
    func capped() async throws {
        let ca = try await TestCA.root(ttl: .seconds(100), now: now)
        let leaf = try await ca.svid("/web", ttl: .seconds(3600), now: now).leaf
        #expect(try leaf.notAfter == CertificateSummary(ca.certificate).notAfter)
    }

    @Test("an authority that has ended, or not begun, signs nothing")
    func expired() async throws {
        let ca = try await TestCA.root(ttl: .seconds(100), now: now)
        await #expect(throws: SpireError(.issuanceRefused, "")) {
            try await ca.svid("/web", now: now.addingTimeInterval(200))
        }
    }

    @Test("a downstream authority has its parent's subject, its depth, and signs below it")
    func downstream() async throws {
        let root = try await TestCA.root(now: now)
        let middle = try await root.intermediate(now: now)
        let low = try await middle.intermediate(now: now)
        let first = try CertificateSummary(middle.certificate)
        let second = try CertificateSummary(low.certificate)
        #expect(try DistinguishedName(der: first.subject).organizationalUnit == ["DOWNSTREAM-1"])
        #expect(try DistinguishedName(der: second.subject).organizationalUnit == ["DOWNSTREAM-1"])
        #expect(first.isCA == true && first.uris == ["spiffe://example.org"])
        #expect(first.authorityKeyID == root.key.publicKey.subjectKeyID)
        #expect(try await low.svid("/x", now: now).chain.count == 3)
    }

    @Test("a signer whose key is not the certificate's is refused")
    func wrongKey() async throws {
        let ca = try await TestCA.root()
        let summary = try CertificateSummary(ca.certificate)
        let other = try LocalKey.generate(.ecP256)
        #expect(throws: SpireError(.signingFailed, "")) { try X509CA(signer: other, certificate: summary) }
    }

    @Test("a key elsewhere that answers with a wrong signature never gets a certificate out")
    func lyingSigner() async throws {
        struct Liar: Signer {
            let publicKey: PublicKeyInfo
            let other: LocalKey
            func sign(_ message: [UInt8], scheme: SignatureScheme) async throws -> [UInt8] {
                try other.signNow(message, scheme: scheme)
            }
        }
        let liar = Liar(publicKey: try LocalKey.generate(.ecP256).publicKey, other: try LocalKey.generate(.ecP256))
        await #expect(throws: SpireError(.signingFailed, "")) {
            try await X509CA.selfSigned(
                signer: liar, trustDomain: TrustDomain("example.org"), subject: .authority, ttl: .seconds(60),
                now: now, random: SystemRandom())
        }
        let ca = try await TestCA.root(now: now)
        let impostor = Liar(publicKey: ca.key.publicKey, other: liar.other)
        let authority = try X509CA(signer: impostor, certificate: CertificateSummary(ca.certificate))
        await #expect(throws: SpireError(.signingFailed, "")) {
            try await authority.signSVID(
                X509CA.Request(
                    id: SPIFFEID("spiffe://example.org/x"), publicKey: liar.publicKey, ttl: .seconds(60)),
                now: now, random: SystemRandom())
        }
    }
}

@Suite struct CertificateRulesTests {
    private func certificate(
        usage: [UInt8] = [3, 2, 3, 0xa8], constraints: [UInt8] = [0x30, 0], uris: [String] = ["spiffe://example.org/web"],
        from: Int64 = 1000, until: Int64 = 2000
    ) throws -> CertificateSummary {
        func item(_ id: [UInt8], _ value: [UInt8]) -> [UInt8] {
            Issuance.DER.sequence(id, Issuance.DER.element(Issuance.DER.octetString, value))
        }
        let key = try LocalKey.generate(.ecP256)
        let algorithm = SignatureScheme.ecdsaSHA256.algorithmIdentifier
        var extensions: [[UInt8]] = []
        if !usage.isEmpty { extensions.append(item(OID.keyUsage, usage)) }
        if !constraints.isEmpty { extensions.append(item(OID.basicConstraints, constraints)) }
        if !uris.isEmpty { extensions.append(try X509Extensions.subjectAltName(dnsNames: [], uris: uris)) }
        let body = CertificateBody(
            serial: [1], algorithm: algorithm, issuer: DistinguishedName.svidDER, notBefore: from, notAfter: until,
            subject: DistinguishedName.svidDER, spki: key.publicKey.spki, extensions: extensions
        ).encoded
        return try CertificateSummary(CertificateBody.seal(body, algorithm: algorithm, signature: [0x30, 0]))
    }

    private func checkSVID(_ certificate: CertificateSummary, at: Double = 1500) -> String? {
        do {
            try CertificateRules.checkSVID(
                certificate, id: SPIFFEID("spiffe://example.org/web"), now: Date(timeIntervalSince1970: at))
            return nil
        } catch {
            return "\(error)"
        }
    }

    @Test("an identity is refused by the rule it breaks")
    func leaf() throws {
        #expect(try checkSVID(certificate()) == nil)
        #expect(try checkSVID(certificate(uris: [])) == "invalid X509-SVID: missing URI SAN")
        #expect(try checkSVID(certificate(uris: ["spiffe://example.org/other"])) != nil)
        #expect(try checkSVID(certificate(uris: ["spiffe://example.org/web", "spiffe://example.org/web"])) != nil)
        #expect(try checkSVID(certificate(usage: [])) != nil)
        #expect(try checkSVID(certificate(usage: [3, 2, 2, 0x04])) != nil)
        #expect(try checkSVID(certificate(usage: [3, 2, 2, 0x84])) != nil)
        #expect(try checkSVID(certificate(constraints: [0x30, 3, 1, 1, 0xff])) != nil)
        #expect(try checkSVID(certificate(), at: 999) == "invalid X509-SVID: not yet valid")
        #expect(try checkSVID(certificate(), at: 2001) == "invalid X509-SVID: already expired")
    }

    @Test("an authority is refused by the rule it breaks")
    func authority() throws {
        func check(_ certificate: CertificateSummary) throws {
            try CertificateRules.checkCA(
                certificate, trustDomain: TrustDomain("example.org"), now: Date(timeIntervalSince1970: 1500))
        }
        let yes: [UInt8] = [0x30, 3, 1, 1, 0xff]
        let sign: [UInt8] = [3, 2, 1, 0x06]
        try check(certificate(usage: sign, constraints: yes, uris: ["spiffe://example.org"]))
        try check(certificate(usage: sign, constraints: yes, uris: []))
        for bad in [
            try certificate(usage: sign, constraints: [0x30, 0], uris: []),
            try certificate(usage: [3, 2, 1, 0x02], constraints: yes, uris: []),
            try certificate(usage: [3, 2, 2, 0x24], constraints: yes, uris: []),
            try certificate(usage: sign, constraints: yes, uris: ["spiffe://example.org/path"]),
            try certificate(usage: sign, constraints: yes, uris: ["spiffe://other.org"]),
        ] {
            #expect(throws: SpireError(.issuanceRefused, "")) { try check(bad) }
        }
    }

    @Test("a certificate with one extension twice is malformed")
    func twice() throws {
        let key = try LocalKey.generate(.ecP256)
        let algorithm = SignatureScheme.ecdsaSHA256.algorithmIdentifier
        let names = try X509Extensions.subjectAltName(dnsNames: [], uris: ["spiffe://example.org/a"])
        let body = CertificateBody(
            serial: [1], algorithm: algorithm, issuer: DistinguishedName.svidDER, notBefore: 0, notAfter: 1,
            subject: DistinguishedName.svidDER, spki: key.publicKey.spki, extensions: [names, names]
        ).encoded
        #expect(throws: SpireError(.certificateMalformed, "")) {
            try CertificateSummary(CertificateBody.seal(body, algorithm: algorithm, signature: [0]))
        }
    }

    @Test("every cut and every flipped byte of a certificate gives an error or facts, never a crash")
    func mutations() async throws {
        let der = try await TestCA.root().svid("/web", dnsNames: ["a.example"]).chain[0]
        for index in der.indices {
            for flip in [UInt8(0x01), 0x80, 0xff, 0x20] {
                var copy = der
                copy[index] ^= flip
                _ = try? CertificateSummary(copy)
            }
            #expect(throws: SpireError.self) { try CertificateSummary(Array(der[..<index])) }
        }
    }

    @Test("numbers of any length are written in decimal", arguments: [
        ([], "0"), ([0, 0], "0"), ([1, 0], "256"),
        ([UInt8](repeating: 0xff, count: 16), "340282366920938463463374607431768211455"),
        ([1] + [UInt8](repeating: 0, count: 16), "340282366920938463463374607431768211456"),
        ([UInt8](repeating: 0xff, count: 20), "1461501637330902918203684832716283019655932542975"),
    ] as [([UInt8], String)])
    func decimal(_ bytes: [UInt8], _ text: String) {
        #expect(DecimalNumber.text(bytes) == text)
    }
}
