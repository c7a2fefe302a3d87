// SPDX-License-Identifier: Apache-2.0

import Crypto
import FoundationEssentials
import Groundwork
import SPIFFE
import Testing

@testable import Issuance

@Suite struct WITTests {
    private func decoded(_ text: Substring) -> String {
        let base64 = text.replacing("-", with: "+").replacing("_", with: "/")
        let padding = String(repeating: "=", count: (4 - base64.count % 4) % 4)
        return String(decoding: Data(base64Encoded: base64 + padding) ?? Data(), as: UTF8.self)
    }

    private func base64(_ bytes: some Sequence<UInt8>) -> String {
        String(decoding: Base64URL.encode(Array(bytes)), as: UTF8.self)
    }

    @Test("a token names its type and the key it is bound to, members in alphabetical order, without an audience")
    func layout() async throws {
        let key = try LocalKey.generate(.ecP384)
        let spki = key.publicKey.spki
        let bound = try ConfirmationKey(SubjectPublicKey(spki: spki), algorithm: "ES384")
        var claims = WITClaims(
            subject: try SPIFFEID("spiffe://example.org/web"), key: bound, issuedAt: 1, expiresAt: 9)
        claims.issuer = "https://i/<x>"
        let writer = try JWSWriter(signer: LocalKey.generate(.ecP256), keyID: "k", type: .wit)
        let parts = try await writer.token(claims, now: 5).split(separator: ".")
        #expect(decoded(parts[0]) == #"{"alg":"ES256","kid":"k","typ":"wit+jwt"}"#)
        let (x, y) = (base64(spki.suffix(96).prefix(48)), base64(spki.suffix(48)))
        #expect(
            decoded(parts[1])
                == #"{"cnf":{"jwk":{"kty":"EC","crv":"P-384","alg":"ES384","x":"\#(x)","y":"\#(y)"}},"exp":9,"iat":1,"#
                + #""iss":"https://i/\u003cx\u003e","sub":"spiffe://example.org/web"}"#)
        await #expect(throws: SpireError(.issuanceRefused, "")) { try await writer.token(claims, now: 9) }
    }

    @Test("a key is bound only to an algorithm it can sign with")
    func algorithms() throws {
        let all = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"]
        let p521 = [UInt8](P521.Signing.PrivateKey().publicKey.derRepresentation)
        let keys: [(String, [UInt8], [String])] = [
            ("RSA", try LocalKey.generate(.rsa2048).publicKey.spki, Array(all.prefix(6))),
            ("ec-p256", try LocalKey.generate(.ecP256).publicKey.spki, ["ES256"]),
            ("ec-p384", try LocalKey.generate(.ecP384).publicKey.spki, ["ES384"]), ("ec-p521", p521, ["ES512"]),
        ]
        for (name, spki, allowed) in keys {
            let key = try SubjectPublicKey(spki: spki)
            for algorithm in all + ["", "none", "HS256", "es256"] {
                if allowed.contains(algorithm) {
                    let jwk = try ConfirmationKey(key, algorithm: algorithm).jwk
                    #expect(String(decoding: jwk, as: UTF8.self).contains(#""alg":"\#(algorithm)""#))
                } else {
                    let refusal = #expect(throws: SpireError.self) { try ConfirmationKey(key, algorithm: algorithm) }
                    #expect(refusal?.code == .keyAlgorithm)
                    #expect(refusal?.message == "unsupported signing algorithm for \(name) key: \(algorithm)")
                }
            }
        }
        let ed25519 = [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0]
            + [UInt8](Curve25519.Signing.PrivateKey().publicKey.rawRepresentation)
        let refusal = #expect(throws: SpireError.self) {
            try ConfirmationKey(SubjectPublicKey(spki: ed25519), algorithm: "EdDSA")
        }
        #expect(refusal?.message == "unsupported key type 'ed25519.PublicKey'")
    }

    @Test("a private key as a JWK has its public members and its private ones", arguments: [
        (KeyType.ecP256, ["kty", "crv", "x", "y", "d"]), (.ecP384, ["kty", "crv", "x", "y", "d"]),
        (.rsa2048, ["kty", "n", "e", "d", "p", "q", "dp", "dq", "qi"]),
    ])
    func privateJWK(_ type: KeyType, _ names: [String]) throws {
        let key = try LocalKey.generate(type)
        let jwk = try key.privateJWK()
        #expect("\(jwk)".contains("kty") == false, "it does not print")
        let text = jwk.reveal { String(decoding: $0, as: UTF8.self) }
        let members = text.dropFirst().dropLast().split(separator: ",").map { $0.split(separator: "\"") }
        #expect(members.map { String($0[0]) } == names)
        if type == .ecP256 { #expect(members.last?.last?.count == 43) }
        if type == .rsa2048 { #expect(text.contains(#""e":"AQAB""#)) }
    }
}
