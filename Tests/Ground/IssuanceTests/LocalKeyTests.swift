// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Groundwork
import Issuance
import Testing
import TestKit

@Suite struct LocalKeyTests {
    @Test("a key of each type signs what its public key accepts, and only that", arguments: KeyType.allCases)
    func signs(_ type: KeyType) throws {
        let key = try LocalKey.generate(type)
        let message = Array("message".utf8)
        let scheme = type.signatureScheme
        let signature = try key.signNow(message, scheme: scheme)
        let publicKey = try SubjectPublicKey(spki: key.publicKey.spki)
        #expect(publicKey.info.type == type)
        let algorithm = scheme.algorithmIdentifier[...]
        #expect(publicKey.verifies(signature[...], of: message[...], algorithm: algorithm))
        #expect(!publicKey.verifies(signature[...], of: [1, 2, 3], algorithm: algorithm))
        let other = type == .ecP256 ? SignatureScheme.rsaPKCS1SHA256 : .ecdsaSHA256
        #expect(!publicKey.verifies(signature[...], of: message[...], algorithm: other.algorithmIdentifier[...]))
        #expect(throws: SpireError(.signingFailed, "")) { try key.signNow(message, scheme: other) }
    }

    @Test("PKCS #8 round-trips, and openssl finds the key and its public half right", arguments: KeyType.allCases)
    func pkcs8(_ type: KeyType) throws {
        let key = try LocalKey.generate(type)
        let der = key.pkcs8.reveal { $0 }
        let again = try LocalKey(pkcs8: der)
        #expect(again.publicKey == key.publicKey)
        #expect(again.pkcs8.reveal { $0 } == der)
        try OpenSSL.inFolder { folder in
            try OpenSSL.write(der, folder + "/key")
            let check = try OpenSSL.run(["pkey", "-inform", "DER", "-in", folder + "/key", "-check", "-noout"])
            #expect(check.status == 0, "\(check.text)")
            let spki = try OpenSSL.bytes(
                ["pkey", "-inform", "DER", "-in", folder + "/key", "-pubout", "-outform", "DER"])
            #expect(spki == key.publicKey.spki)
            // The form is OpenSSL's own: reading and writing it there changes no byte.
            let same = try OpenSSL.bytes(
                ["pkcs8", "-topk8", "-nocrypt", "-inform", "DER", "-in", folder + "/key", "-outform", "DER"])
            #expect(same == der)
        }
    }

    @Test("keys that openssl made are read", arguments: [
        (["EC", "-pkeyopt", "ec_paramgen_curve:P-256"], KeyType.ecP256),
        (["EC", "-pkeyopt", "ec_paramgen_curve:P-384"], .ecP384),
        (["RSA", "-pkeyopt", "rsa_keygen_bits:2048"], .rsa2048),
    ])
    func foreign(_ options: [String], _ type: KeyType) throws {
        #expect(try LocalKey(pkcs8: Self.made(options)).type == type)
    }

    private static func made(_ options: [String]) throws -> [UInt8] {
        try OpenSSL.inFolder { folder in
            try OpenSSL.write(OpenSSL.bytes(["genpkey", "-quiet", "-algorithm"] + options), folder + "/key")
            return try OpenSSL.bytes(["pkcs8", "-topk8", "-nocrypt", "-in", folder + "/key", "-outform", "DER"])
        }
    }

    @Test("kinds of keys that are never used are refused by name", arguments: [
        ["ED25519"], ["EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"], ["RSA", "-pkeyopt", "rsa_keygen_bits:3072"],
    ])
    func unsupported(_ options: [String]) throws {
        let der = try Self.made(options)
        #expect(throws: SpireError(.keyMalformed, "")) { try LocalKey(pkcs8: der) }
    }

    @Test("a public key that is not the private key's is refused")
    func mismatch() throws {
        let ours = try LocalKey.generate(.ecP256)
        let other = try LocalKey.generate(.ecP256)
        var der = ours.pkcs8.reveal { $0 }
        der.replaceSubrange((der.count - 65)..., with: other.publicKey.spki.suffix(65))
        #expect(throws: SpireError(.keyMalformed, "")) { try LocalKey(pkcs8: der) }
    }

    @Test("a damaged key never crashes the reader, and its error holds no key bytes")
    func damaged() throws {
        let der = try LocalKey.generate(.ecP256).pkcs8.reveal { $0 }
        for index in der.indices {
            for value in [UInt8(0), 0xff, der[index] ^ 1, der[index] ^ 0x80] {
                var copy = der
                copy[index] = value
                _ = try? LocalKey(pkcs8: copy)
            }
            _ = try? LocalKey(pkcs8: Array(der[..<index]))
        }
    }

    @Test("a key shows nothing of itself when printed")
    func secret() throws {
        let key = try LocalKey.generate(.ecP256)
        #expect("\(key)" == "LocalKey(ec-p256)")
        #expect("\(key.pkcs8)" == "(secret)")
        var dumped = ""
        dump(key, to: &dumped)
        #expect(!dumped.contains("P256"))
    }

    @Test("the key ID is openssl's subject key identifier")
    func subjectKeyID() async throws {
        for type in [KeyType.ecP256, .ecP384, .rsa2048] {
            let ca = try await TestCA.root(type: type)
            let output = try OpenSSL.run(
                ["x509", "-inform", "DER", "-noout", "-ext", "subjectKeyIdentifier"], input: ca.certificate)
            let text = output.text.lowercased().filter(\.isHexDigit)
            #expect(text.hasSuffix(Hex.text(ca.key.publicKey.subjectKeyID)))
        }
    }

    @Test("the key file of the original's server gives the keys of its certificates")
    func sample() throws {
        guard let bytes = try Samples.bytes("spire-state/sqlite/server/keys.json"),
            let root = try Samples.certificates("issued/bundle.0.pem")?.first
        else { return }
        struct File: Decodable { var keys: [String: Data] }
        let file = try JSONDecoder().decode(File.self, from: Data(bytes))
        let der = try #require(file.keys["x509-CA-A"])
        let key = try LocalKey(pkcs8: [UInt8](der))
        #expect(key.pkcs8.reveal { $0 } == [UInt8](der))
        let certificate = try CertificateSummary(root)
        #expect(certificate.spki == key.publicKey.spki)
        #expect(certificate.subjectKeyID == key.publicKey.subjectKeyID)
    }
}

@Suite struct SubjectPublicKeyTests {
    @Test("a point that is not on its curve is refused")
    func offCurve() throws {
        var spki = try LocalKey.generate(.ecP256).publicKey.spki
        spki[spki.count - 1] ^= 1
        #expect(throws: SpireError(.keyMalformed, "")) { try PublicKeyInfo(spki: spki) }
    }

    @Test("keys of kinds never made here are known but have no type", arguments: [
        ["EC", "-pkeyopt", "ec_paramgen_curve:P-521"], ["ED25519"], ["RSA", "-pkeyopt", "rsa_keygen_bits:3072"],
    ])
    func otherKinds(_ options: [String]) throws {
        let spki = try OpenSSL.inFolder { folder in
            let key = try OpenSSL.bytes(["genpkey", "-quiet", "-algorithm"] + options)
            try OpenSSL.write(key, folder + "/key")
            return try OpenSSL.bytes(["pkey", "-in", folder + "/key", "-pubout", "-outform", "DER"])
        }
        let info = try PublicKeyInfo(spki: spki)
        #expect(info.type == nil)
        #expect(info.subjectKeyID.count == 20)
    }

    @Test("a raw ECDSA signature and its DER form convert both ways, small numbers too")
    func signatures() throws {
        let random = SeededRandom()
        for round in 0..<200 {
            var raw = random.bytes(64)
            if round % 4 == 0 { raw.replaceSubrange(0..<(round / 4 % 31), with: repeatElement(0, count: round / 4 % 31)) }
            if raw.prefix(32).allSatisfy({ $0 == 0 }) { continue }
            #expect(try ECDSASignature.raw(der: ECDSASignature.der(raw: raw), size: 32) == raw)
        }
        #expect(throws: DERError.self) { try ECDSASignature.raw(der: ECDSASignature.der(raw: random.bytes(96)), size: 32) }
    }
}
