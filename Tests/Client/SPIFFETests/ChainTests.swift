// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Testing
import X509

@testable import SPIFFE

@Suite struct ChainTests {
    @Test("a chain is trusted or refused for the right reason", arguments: FixtureCase.all(Fixtures.chains, "cases"))
    func verification(fixture: FixtureCase) throws {
        let chain = try Fixtures.certificates(fixture.members["chain"])
        let roots = try Fixtures.certificates(fixture.members["roots"])
        let bundle = X509Bundle(Fixtures.trustDomain, authorities: roots)
        do {
            let verified = try X509SVID.verify(chain, bundles: bundle, at: fixture.time)
            #expect(fixture.error == nil)
            #expect(verified.id.description == "spiffe://example.org/web")
            #expect(verified.leaf == chain[0])
            #expect(roots.contains(verified.root))
            #expect(verified.chain.count >= 2)
        } catch let error as SPIFFEError {
            let expected = try #require(fixture.error, "\(error)")
            #expect(error.message.contains(expected), "\(error)")
        }
    }

    @Test("DER and parsed chains verify alike, and an empty one does not")
    func derForm() throws {
        let fixture = try #require(FixtureCase.all(Fixtures.chains, "cases").first)
        let bundle = X509Bundle(
            Fixtures.trustDomain, authorities: try Fixtures.certificates(fixture.members["roots"]))
        let der = (fixture.members["chain"]?.array ?? []).map { Fixtures.der($0) }
        #expect(try X509SVID.verify(der: der, bundles: bundle, at: fixture.time).id.path == "/web")
        #expect(message { _ = try X509SVID.verify(der: [], bundles: bundle, at: fixture.time) } == "empty certificates chain")
        for length in stride(from: 0, to: der[0].count, by: 7) {
            #expect(throws: SPIFFEError.self) {
                try X509SVID.verify(der: [Array(der[0][..<length])], bundles: bundle, at: fixture.time)
            }
        }
        #expect(throws: SPIFFEError.self) {
            try X509SVID.verify(der: [der[0] + [0]], bundles: bundle, at: fixture.time)
        }
    }

    @Test("no changed byte of a leaf is trusted")
    func tampering() throws {
        let fixture = try #require(FixtureCase.all(Fixtures.chains, "cases").first)
        let bundle = X509Bundle(
            Fixtures.trustDomain, authorities: try Fixtures.certificates(fixture.members["roots"]))
        let der = Fixtures.der(fixture.members["chain"]?.array?.first)
        for index in stride(from: 0, to: der.count, by: 3) {
            var changed = der
            changed[index] ^= 0x10
            #expect(throws: (any Error).self) { try X509SVID.verify(der: [changed], bundles: bundle, at: fixture.time) }
        }
    }

    @Test("certificates laid end to end are taken apart, cut ones refused")
    func sequences() throws {
        let certificates = try Fixtures.certificates(Fixtures.chains["intermediate"])
        let der = certificates.flatMap(\.der)
        #expect(try Certificate.sequence(der: der) == certificates)
        #expect(try Certificate.sequence(der: []).isEmpty)
        for cut in [1, 2, 3, 100, der.count - 1] {
            #expect(throws: SPIFFEError.self) { try Certificate.sequence(der: Array(der[..<cut])) }
        }
        #expect(throws: SPIFFEError.self) { try Certificate.sequence(der: der + [0x30]) }
        #expect(throws: SPIFFEError.self) { try Certificate.sequence(der: [0x30, 0x84, 0xff, 0xff, 0xff, 0xff]) }
        #expect(throws: SPIFFEError.self) { try Certificate.sequence(der: [0x30, 0x80, 0, 0]) }
    }

    @Test("times are written like RFC 3339")
    func times() {
        for (seconds, text) in [
            (0.0, "1970-01-01T00:00:00Z"), (1_795_222_627.9, "2026-11-21T00:57:07Z"),
            (951_782_400, "2000-02-29T00:00:00Z"), (-1, "1969-12-31T23:59:59Z"), (4_107_542_400, "2100-03-01T00:00:00Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"), (-62_135_596_800, "0001-01-01T00:00:00Z"),
        ] {
            #expect(RFC3339.text(Date(timeIntervalSince1970: seconds)) == text)
        }
    }
}
