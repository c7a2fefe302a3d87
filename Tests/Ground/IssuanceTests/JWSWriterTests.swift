// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Groundwork
import SPIFFE
import Testing
import TestKit

@testable import Issuance

@Suite struct JWSWriterTests {
    private static func decode(_ text: Substring) -> [UInt8] {
        var base64 = String(text).replacing("-", with: "+").replacing("_", with: "/")
        base64 += String(repeating: "=", count: (4 - base64.count % 4) % 4)
        return [UInt8](Data(base64Encoded: base64) ?? Data())
    }

    @Test("the original's token is written again from its claims, byte for byte but the signature")
    func sample() async throws {
        guard let bytes = try Samples.bytes("issued/jwt.txt") else { return }
        let text = String(decoding: bytes, as: UTF8.self)
        let token = try #require(text.split(separator: "\n").first { $0.contains("eyJ") }).drop { $0 == "\t" }
        let claims = JWTClaims(
            subject: try SPIFFEID("spiffe://example.org/web"), audience: ["svc-a", "svc-b"], issuedAt: 1_795_223_041,
            expiresAt: 1_795_223_341)
        let writer = try JWSWriter(signer: LocalKey.generate(.ecP256), keyID: "17lkWoaCWtKfcD7yhnVv5c4rUa6Jai1K")
        let ours = try await writer.token(claims, now: 1_795_223_041)
        #expect(ours.split(separator: ".").dropLast() == token.split(separator: ".").dropLast())
    }

    @Test("header and claims stand in alphabetical order, with issuer and ID where asked for")
    func layout() async throws {
        let key = try LocalKey.generate(.ecP256)
        var claims = JWTClaims(
            subject: try SPIFFEID("spiffe://example.org/web"), audience: ["", "b", "a", ""], issuedAt: 1, expiresAt: 9)
        claims.issuer = "https://issuer.example/<x>"
        claims.id = "id"
        let token = try await JWSWriter(signer: key, keyID: "k").token(claims, now: 5)
        let parts = token.split(separator: ".")
        #expect(String(decoding: Self.decode(parts[0]), as: UTF8.self) == #"{"alg":"ES256","kid":"k","typ":"JWT"}"#)
        #expect(
            String(decoding: Self.decode(parts[1]), as: UTF8.self)
                == #"{"aud":["b","a"],"exp":9,"iat":1,"iss":"https://issuer.example/\u003cx\u003e","jti":"id","sub":"spiffe://example.org/web"}"#)
    }

    @Test("tokens of every key type verify", arguments: [
        (KeyType.ecP256, "ES256", 32), (.ecP384, "ES384", 48), (.rsa2048, "RS256", 0),
    ])
    func verifies(_ type: KeyType, _ algorithm: String, _ size: Int) async throws {
        let key = try LocalKey.generate(type)
        let claims = JWTClaims(
            subject: try SPIFFEID("spiffe://example.org/web"), audience: ["a"], issuedAt: 1, expiresAt: 9)
        let token = try await JWSWriter(signer: key, keyID: "k").token(claims, now: 5)
        let parts = token.split(separator: ".")
        #expect(parts.count == 3)
        #expect(String(decoding: Self.decode(parts[0]), as: UTF8.self).contains(algorithm))
        let raw = Self.decode(parts[2])
        if size > 0 { #expect(raw.count == size * 2) }
        let signature = size > 0 ? ECDSASignature.der(raw: raw) : raw
        let message = Array((parts[0] + "." + parts[1]).utf8)
        try OpenSSL.inFolder { folder in
            try OpenSSL.write(OpenSSL.pem(key.publicKey.spki, "PUBLIC KEY"), folder + "/key")
            try OpenSSL.write(signature, folder + "/signature")
            try OpenSSL.write(message, folder + "/message")
            let output = try OpenSSL.run([
                "dgst", size == 48 ? "-sha384" : "-sha256", "-verify", folder + "/key", "-signature",
                folder + "/signature", folder + "/message",
            ])
            #expect(output.text.contains("Verified OK"), "\(output.text)")
        }
    }

    @Test("the client library accepts a token made here")
    func clientLibrary() async throws {
        let ca = try await TestCA.root()
        let now = SystemTime().now
        let token = try await ca.token("/web", audience: ["db"], keyID: "k", now: now)
        let key = try PublicKey(spki: ca.key.publicKey.spki)
        let bundle = JWTBundle(ca.trustDomain, authorities: [JWTAuthority(keyID: "k", publicKey: key)])
        let verified = try JWTSVID.parseAndVerify(token, audience: ["db"], bundles: BundleSet(jwt: [bundle]), at: now)
        #expect(verified.id.path == "/web")
        #expect(throws: SPIFFEError.self) {
            try JWTSVID.parseAndVerify(token, audience: ["web"], bundles: BundleSet(jwt: [bundle]), at: now)
        }
    }

    @Test("a token nobody may accept is not signed", arguments: [[], [""], ["", ""]] as [[String]])
    func noAudience(_ audience: [String]) async throws {
        let claims = JWTClaims(
            subject: try SPIFFEID("spiffe://example.org/web"), audience: audience, issuedAt: 1, expiresAt: 9)
        let writer = try JWSWriter(signer: LocalKey.generate(.ecP256), keyID: "k")
        await #expect(throws: SpireError(.issuanceRefused, "")) { try await writer.token(claims, now: 5) }
    }

    @Test("a token that has expired when it is made is not signed")
    func expired() async throws {
        let claims = JWTClaims(
            subject: try SPIFFEID("spiffe://example.org/web"), audience: ["a"], issuedAt: 1, expiresAt: 5)
        let writer = try JWSWriter(signer: LocalKey.generate(.ecP256), keyID: "k")
        await #expect(throws: SpireError(.issuanceRefused, "")) { try await writer.token(claims, now: 5) }
    }

    @Test("strings of any kind come back from a JSON reader as they were")
    func strings() throws {
        for text in ["", "plain", "quote\" back\\slash", "\u{0}\u{1f}\n\r\t\u{7f}", "<&>", "ü€😀", "\u{2028}"] {
            var out: [UInt8] = []
            JSONText.append(text, to: &out)
            #expect(try JSONDecoder().decode([String].self, from: Data([UInt8(ascii: "[")] + out + [UInt8(ascii: "]")])) == [text])
        }
    }

    @Test("base64url has no padding and inverts", arguments: 0...5)
    func base64(_ count: Int) {
        let bytes = SeededRandom(seed: 3).bytes(count)
        let text = String(decoding: Base64URL.encode(bytes), as: UTF8.self)
        #expect(!text.contains("="))
        #expect(Self.decode(text[...]) == bytes)
    }
}

@Suite struct IssuanceCodesTests {
    @Test("every code has a name of its own")
    func unique() {
        #expect(Set(IssuanceCodes.all.map(\.name)).count == IssuanceCodes.all.count)
    }
}
