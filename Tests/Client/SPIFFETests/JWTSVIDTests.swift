// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Testing

@testable import SPIFFE

@Suite struct JWTSVIDTests {
    func bundle() throws -> JWTBundle {
        let jwks = try #require(Fixtures.tokens["jwks"])
        return try JWTBundle(Fixtures.trustDomain, jwks: jwks.text())
    }

    func token(_ name: String) throws -> FixtureCase {
        try #require(FixtureCase.all(Fixtures.tokens, "tokens").first { $0.name == name })
    }

    @Test("a token is accepted or refused for the right reason", arguments: FixtureCase.all(Fixtures.tokens, "tokens"))
    func verification(fixture: FixtureCase) throws {
        let token = try #require(fixture.members["token"]?.string)
        let audience = try #require(fixture.members["audience"]?.string)
        do {
            let svid = try JWTSVID.parseAndVerify(token, audience: [audience], bundles: bundle(), at: fixture.time)
            #expect(fixture.error == nil)
            #expect(svid.id.description == "spiffe://example.org/web")
            #expect(svid.audience.contains("a"))
            #expect(svid.expiry == Fixtures.time.addingTimeInterval(300))
            #expect(svid.token == token)
        } catch let error as SPIFFEError {
            let expected = try #require(fixture.error, "\(error)")
            #expect(error.message.contains(expected), "\(error)")
            #expect(error.code == .invalidJWTSVID)
        }
    }

    @Test("any one of several own names will do")
    func audiences() throws {
        let token = try #require(try token("ES256").members["token"]?.string)
        let svid = try JWTSVID.parseAndVerify(token, audience: ["z", "b"], bundles: bundle(), at: Fixtures.time)
        #expect(svid.audience == ["a", "b"])
        #expect(svid.keyID == "ec")
        #expect(svid.issuedAt == Fixtures.time)
        #expect(throws: SPIFFEError.self) {
            try JWTSVID.parseAndVerify(token, audience: [], bundles: bundle(), at: Fixtures.time)
        }
    }

    @Test("an audience in another spelling of the same letters is another audience")
    func spelling() throws {
        let exp = Int(Fixtures.time.timeIntervalSince1970) + 300
        let claims = try JWTClaims([
            "sub": .string("spiffe://example.org/web"), "aud": .string("caf\u{E9}"), "exp": .number("\(exp)"),
        ])
        #expect(try claims.check(audience: ["caf\u{E9}"], at: Fixtures.time, leeway: .zero) == ["caf\u{E9}"])
        #expect(throws: SPIFFEError.self) {
            try claims.check(audience: ["cafe\u{301}"], at: Fixtures.time, leeway: .zero)
        }
    }

    @Test("without leeway the last second is exp itself")
    func leeway() throws {
        let token = try #require(try token("ES256").members["token"]?.string)
        let exp = Fixtures.time.addingTimeInterval(300)
        _ = try JWTSVID.parseAndVerify(token, audience: ["a"], bundles: bundle(), at: exp, leeway: .zero)
        #expect(message {
            _ = try JWTSVID.parseAndVerify(
                token, audience: ["a"], bundles: bundle(), at: exp.addingTimeInterval(1), leeway: .zero)
        } == "token has expired")
    }

    @Test("claims survive as they were written")
    func claims() throws {
        let token = try #require(try token("foreign claims are kept").members["token"]?.string)
        let claims = try JWTSVID.parseAndVerify(token, audience: ["a"], bundles: bundle(), at: Fixtures.time).claims
        #expect(claims["n"] == .number("9007199254740993"))
        #expect(claims["f"] == .number("1.50"))
        #expect(claims["o"]?.object?["a"] == .array([.bool(true), .string("\u{e9}")]))
        #expect(claims.members.map(\.name) == ["sub", "aud", "exp", "iat", "n", "f", "o"])
    }

    @Test("a token of another trust domain's bundle is not looked up elsewhere")
    func foreignBundle() throws {
        let token = try #require(try token("ES256").members["token"]?.string)
        let other = JWTBundle(Fixtures.otherTrustDomain, authorities: try bundle().authorities)
        #expect(message {
            _ = try JWTSVID.parseAndVerify(token, audience: ["a"], bundles: other, at: Fixtures.time)
        } == "no keys found for trust domain \"example.org\"")
    }

    @Test("reading insecurely checks everything but the signature")
    func insecure() throws {
        let token = try #require(try token("a stranger's signature").members["token"]?.string)
        let svid = try JWTSVID.parseInsecure(token, hint: "h", at: Fixtures.time)
        #expect(svid.id.path == "/web")
        #expect(svid.hint == "h")
        #expect(throws: SPIFFEError.self) { try JWTSVID.parseInsecure(token, audience: ["z"], at: Fixtures.time) }
        #expect(throws: SPIFFEError.self) { try JWTSVID.parseInsecure(token, at: Fixtures.time.addingTimeInterval(999)) }
        let none = try #require(try self.token("no audience").members["token"]?.string)
        #expect(throws: SPIFFEError.self) { try JWTSVID.parseInsecure(none, at: Fixtures.time) }
    }

    @Test("a token never prints")
    func secrecy() throws {
        let token = try #require(try token("ES256").members["token"]?.string)
        let svid = try JWTSVID.parseInsecure(token, at: Fixtures.time)
        #expect("\(svid)" == "JWT-SVID of spiffe://example.org/web")
        #expect(!String(reflecting: [svid]).contains(token))
    }

    @Test("tokens cut at any length and tokens beyond the limit are refused")
    func hostile() throws {
        let token = try #require(try token("ES256").members["token"]?.string)
        for length in stride(from: 0, to: token.count, by: 3) {
            #expect(throws: SPIFFEError.self) {
                try JWTSVID.parseAndVerify(String(token.prefix(length)), audience: ["a"], bundles: bundle(), at: Fixtures.time)
            }
        }
        for text in [String(repeating: "a", count: 1 << 20), String(repeating: ".", count: 100_000)] {
            #expect(throws: SPIFFEError.self) { try JWTSVID.parseInsecure(text, at: Fixtures.time) }
        }
    }
}
