// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Testing
import X509

@testable import SPIFFE

@Suite struct BundleTests {
    let td = Fixtures.trustDomain

    func parse(_ text: String, _ reading: BundleReading = .tolerant) throws -> SPIFFEBundle {
        try SPIFFEBundle(td, document: Array(text.utf8), reading: reading)
    }

    /// The shape of a document, with the values of keys shortened to nothing.
    func shape(_ document: [UInt8]) -> String {
        String(decoding: document, as: UTF8.self).split(separator: "\n").map { line in
            let parts = line.split(separator: "\": \"", maxSplits: 1)
            guard parts.count == 2, ["x", "y", "n"].contains(parts[0].drop { $0 == " " || $0 == "\"" }) else {
                return line.contains("\"MII") ? "                \"…\"" : String(line)
            }
            return parts[0] + "\": \"…\"" + (line.hasSuffix(",") ? "," : "")
        }.joined(separator: "\n")
    }

    func sample() throws -> SPIFFEBundle {
        let root = try #require(try Fixtures.certificates(Fixtures.chains["intermediate"]).last)
        let jwks = try #require(Fixtures.tokens["jwks"])
        let jwt = try JWTBundle(td, jwks: jwks.text())
        return SPIFFEBundle(
            td, x509Authorities: [root], jwtAuthorities: jwt.authorities.filter { ["ec", "rsa"].contains($0.keyID) },
            sequenceNumber: 1, refreshHint: .seconds(300))
    }

    @Test("a document has SPIRE's layout")
    func layout() throws {
        #expect(
            shape(try sample().document()) == """
                {
                    "keys": [
                        {
                            "use": "x509-svid",
                            "kty": "EC",
                            "crv": "P-256",
                            "x": "…",
                            "y": "…",
                            "x5c": [
                                "…"
                            ]
                        },
                        {
                            "use": "jwt-svid",
                            "kty": "EC",
                            "kid": "ec",
                            "crv": "P-256",
                            "x": "…",
                            "y": "…"
                        },
                        {
                            "use": "jwt-svid",
                            "kty": "RSA",
                            "kid": "rsa",
                            "n": "…",
                            "e": "AQAB"
                        }
                    ],
                    "spiffe_sequence": 1,
                    "spiffe_refresh_hint": 300
                }
                """)
    }

    @Test("a JWK set has neither use nor SPIFFE members")
    func jwks() throws {
        #expect(
            shape(try JWTBundle(td, authorities: [try sample().jwtAuthorities[0]]).jwks()) == """
                {
                    "keys": [
                        {
                            "kty": "EC",
                            "kid": "ec",
                            "crv": "P-256",
                            "x": "…",
                            "y": "…"
                        }
                    ]
                }
                """)
        #expect(String(decoding: try JWTBundle(td).jwks(), as: UTF8.self) == "{\n    \"keys\": []\n}")
    }

    @Test("what is written is read again")
    func roundTrip() throws {
        let bundle = try sample()
        #expect(try SPIFFEBundle(td, document: bundle.document(), reading: .strict) == bundle)
        #expect(try JWTBundle(td, jwks: bundle.jwtBundle.jwks()) == bundle.jwtBundle)
        #expect(try X509Bundle(td, der: bundle.x509Bundle.der) == bundle.x509Bundle)
    }

    @Test("the original's own documents are read and written byte by byte")
    func original() throws {
        let samples = ProcessInfo.processInfo.environment["SPIRE_SAMPLES"] ?? "../shared/samples"
        guard let data = try? Data(contentsOf: URL(filePath: samples).appending(path: "run/transcript.txt")) else {
            return  // Samples are not part of the repository.
        }
        let lines = String(decoding: data, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
        let command = try #require(lines.firstIndex { $0.hasPrefix("$") && $0.hasSuffix("bundle show -socketPath api.sock -format spiffe") })
        let document = lines[(command + 1)...].prefix { $0.hasPrefix("1| ") }.map { $0.dropFirst(3) }
            .joined(separator: "\n")
        let bundle = try SPIFFEBundle(td, document: Array(document.utf8), reading: .strict)
        #expect(bundle.x509Authorities.count == 1)
        #expect(bundle.jwtAuthorities.count == 1)
        #expect(String(decoding: try bundle.document(), as: UTF8.self) == document)
    }

    @Test("a document without keys is refused, one with none is a bundle that trusts nothing")
    func missingKeys() throws {
        for text in ["{}", #"{"keys":null}"#, #"{"spiffe_sequence":1}"#] {
            #expect(message { _ = try parse(text) } == "no authorities found")
        }
        #expect(try parse(#"{"keys":[]}"#) == SPIFFEBundle(td))
    }

    static let entries = [
        (#"{"use":"x509-svid","kty":"EC"}"#, "expected a single certificate in x509-svid entry 0; got 0"),
        (#"{"use":"x509-svid","kty":"EC","x5c":[]}"#, "expected a single certificate in x509-svid entry 0; got 0"),
        (#"{"use":"jwt-svid","kty":"EC"}"#, "missing key ID in jwt-svid entry 0"),
        (#"{"use":"jwt-svid","kty":"EC","kid":""}"#, "missing key ID in jwt-svid entry 0"),
        (#"{"kty":"EC"}"#, "missing use for key entry 0"),
        (#"{"use":"","kty":"EC"}"#, "missing use for key entry 0"),
        (#"{"use":"X509-SVID","kty":"EC"}"#, #"unrecognized use "X509-SVID" for key entry 0"#),
        (#"{"use":"foo","kty":"XYZ"}"#, #"unrecognized use "foo" for key entry 0"#),
        (#"{"use":"jwt-svid","kty":"XYZ","kid":"a"}"#, "unknown key type in key entry 0"),
        (#"{"use":"jwt-svid","kty":"EC","crv":"secp256k1","kid":"a"}"#, "unknown key type in key entry 0"),
    ]

    @Test("entries to ignore are passed over, or refused in SPIRE's words when strict", arguments: entries)
    func ignored(entry: String, strict: String) throws {
        let good = String(decoding: try sample().document(), as: UTF8.self)
        let text = good.replacing("\"keys\": [", with: "\"keys\": [\(entry),")
        #expect(try parse(text) == sample())
        #expect(message { _ = try parse(text, .strict) } == strict)
    }

    @Test("of several certificates in an entry the first counts")
    func firstCertificate() throws {
        let certificates = try Fixtures.certificates(Fixtures.chains["intermediate"]).reversed()
        let list = certificates.map { "\"\(Base64.encode($0.der, .standard))\"" }.joined(separator: ",")
        let text = #"{"keys":[{"use":"x509-svid","kty":"EC","x5c":[\#(list)]}]}"#
        #expect(try parse(text).x509Authorities == [certificates.first])
        #expect(message { _ = try parse(text, .strict) } == "expected a single certificate in x509-svid entry 0; got 3")
    }

    @Test(
        "documents that lie about what they hold are refused",
        arguments: [
            "", "[]", "null", #"{"keys":{}}"#, #"{"keys":[1]}"#, #"{"keys":[],"keys":[]}"#, #"{"keys":[]} x"#,
            #"{"keys":[],"spiffe_sequence":-1}"#, #"{"keys":[],"spiffe_sequence":1.5}"#,
            #"{"keys":[],"spiffe_sequence":"1"}"#, #"{"keys":[],"spiffe_sequence":18446744073709551616}"#,
            #"{"keys":[],"spiffe_refresh_hint":1.5}"#, #"{"keys":[],"spiffe_refresh_hint":-1}"#,
            #"{"keys":[{"use":"x509-svid","x5c":["AAAA"]}]}"#, #"{"keys":[{"use":"x509-svid","x5c":["!"]}]}"#,
            #"{"keys":[{"use":"x509-svid","x5c":[1]}]}"#,
            #"{"keys":[{"use":"jwt-svid","kid":"a","kty":"EC","crv":"P-256","x":"AAAA","y":"AAAA"}]}"#,
            #"{"keys":[{"use":"jwt-svid","kid":"a","kty":"RSA","n":"AQAB","e":"AQAB"}]}"#,
            #"{"keys":[{"use":"jwt-svid","kid":"a","kty":"RSA"}]}"#,
        ])
    func refused(text: String) {
        #expect(throws: SPIFFEError(.invalidBundle, "")) { try parse(text) }
    }

    @Test("a point that is not on the curve is no key")
    func offCurve() throws {
        let zero = String(repeating: "A", count: 42) + "E"
        let text = #"{"keys":[{"use":"jwt-svid","kid":"a","kty":"EC","crv":"P-256","x":"\#(zero)","y":"\#(zero)"}]}"#
        #expect(throws: SPIFFEError(.invalidBundle, "")) { try parse(text) }
    }

    @Test("sequence numbers use all of 64 bits")
    func sequence() throws {
        #expect(try parse(#"{"keys":[],"spiffe_sequence":9223372036854775809}"#).sequenceNumber == 1 << 63 + 1)
        let bundle = try parse(#"{"keys":[],"spiffe_sequence":1,"spiffe_refresh_hint":60}"#)
        #expect(bundle.refreshHint == .seconds(60))
    }

    @Test("bundles of different trust domains are never mixed")
    func sets() throws {
        var set = BundleSet([try sample()])
        #expect(try set.x509Bundle(for: td).authorities.count == 1)
        #expect(try set.jwtBundle(for: td).authorities.count == 2)
        #expect(throws: SPIFFEError(.bundleNotFound, "")) { try set.x509Bundle(for: Fixtures.otherTrustDomain) }
        #expect(throws: SPIFFEError(.bundleNotFound, "")) { try set.jwtBundle(for: Fixtures.otherTrustDomain) }
        set.remove(td)
        #expect(set == BundleSet())
        #expect(throws: SPIFFEError.self) { try sample().x509Bundle.x509Bundle(for: Fixtures.otherTrustDomain) }
    }

    @Test("authorities are kept once, in order, and replaced by name")
    func authorities() throws {
        let keys = try sample().jwtAuthorities
        var bundle = JWTBundle(td, authorities: keys)
        try bundle.add(JWTAuthority(keyID: "ec", publicKey: keys[1].publicKey))
        #expect(bundle.authorities.map(\.keyID) == ["ec", "rsa"])
        #expect(bundle.authority(keyID: "ec") == keys[1].publicKey)
        bundle.remove(keyID: "ec")
        #expect(bundle.authority(keyID: "ec") == nil)
        #expect(bundle.authority(keyID: "rsa") == keys[1].publicKey)
        #expect(throws: SPIFFEError.self) { try bundle.add(JWTAuthority(keyID: "", publicKey: keys[0].publicKey)) }
        try bundle.add(JWTAuthority(keyID: "caf\u{E9}", publicKey: keys[0].publicKey))
        #expect(bundle.authority(keyID: "cafe\u{301}") == nil)
        let root = try sample().x509Authorities[0]
        #expect(X509Bundle(td, authorities: [root, root]).authorities == [root])
    }
}
