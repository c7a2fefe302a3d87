// SPDX-License-Identifier: Apache-2.0

import Groundwork
import Issuance
import Testing
import TestKit

@Suite struct DERReaderTests {
    @Test("an element whose length is not in its shortest form is refused", arguments: [
        [0x04, 0x81, 0x01, 0x00], [0x04, 0x82, 0x00, 0x80] + [UInt8](repeating: 0, count: 128),
        [0x04, 0x80, 0x00, 0x00], [0x04, 0x85, 0, 0, 0, 0, 1, 0], [0x04, 0xff],
    ] as [[UInt8]])
    func lengths(_ der: [UInt8]) {
        var reader = DERReader(der)
        #expect(throws: DERError.self) { try reader.next() }
    }

    @Test("an element that is longer than what is left is refused")
    func truncated() {
        for der in [[], [0x04], [0x04, 1], [0x30, 0x84, 0x7f, 0xff, 0xff, 0xff, 0], [0x1f, 0x81, 0]] as [[UInt8]] {
            var reader = DERReader(der)
            #expect(throws: DERError.self) { try reader.next() }
        }
    }

    @Test("an integer is read without its padding, a negative or padded one is refused")
    func integers() throws {
        func read(_ der: [UInt8]) throws -> [UInt8] {
            var reader = DERReader(der)
            return Array(try reader.unsigned())
        }
        #expect(try read([2, 1, 0]) == [])
        #expect(try read([2, 2, 0, 0x80]) == [0x80])
        #expect(throws: DERError.self) { try read([2, 1, 0x80]) }
        #expect(throws: DERError.self) { try read([2, 2, 0, 1]) }
        #expect(throws: DERError.self) { try read([2, 0]) }
    }

    @Test("integers and lengths written are read back, whatever their size")
    func roundTrip() throws {
        let random = SeededRandom()
        for count in [0, 1, 15, 16, 17, 126, 127, 128, 255, 256, 300, 65_535, 65_536] {
            let magnitude = random.bytes(count)
            var out: [UInt8] = []
            DER.unsigned(magnitude, into: &out)
            #expect(out.count == DER.unsignedCount(magnitude))
            var reader = DERReader(DER.element(DER.sequence, out))
            var inner = try reader.enter(DER.sequence)
            #expect(Array(try inner.unsigned()) == Array(magnitude.drop { $0 == 0 }))
            #expect(inner.isAtEnd && reader.isAtEnd)
        }
    }

    @Test("random bytes never crash any reader")
    func noise() {
        let random = SeededRandom(seed: 7)
        for round in 0..<4000 {
            var bytes = random.bytes(Int(random.next() % 200))
            // Most noise ends at the first tag: give half of it a plausible beginning.
            if round % 2 == 0, bytes.count > 8 { bytes.replaceSubrange(0..<2, with: [0x30, UInt8(bytes.count - 2) & 0x7f]) }
            _ = try? CSR.parse(bytes)
            _ = try? CertificateSummary(bytes)
            _ = try? PublicKeyInfo(spki: bytes)
            _ = try? LocalKey(pkcs8: bytes)
            _ = try? DistinguishedName(der: bytes)
            _ = try? ECDSASignature.raw(der: bytes, size: 32)
        }
    }
}

@Suite struct CivilTimeTests {
    @Test("seconds become the calendar's date and back", arguments: [
        (0, "1970-01-01T00:00:00Z"), (951_782_400, "2000-02-29T00:00:00Z"), (1_795_223_041, "2026-11-21T01:04:01Z"),
        (-1, "1969-12-31T23:59:59Z"), (2_524_608_000, "2050-01-01T00:00:00Z"), (253_402_300_799, "9999-12-31T23:59:59Z"),
    ] as [(Int64, String)])
    func dates(_ unix: Int64, _ text: String) {
        let time = CivilTime(unix: unix)
        #expect(time.rfc3339 == text)
        #expect(time.unix == unix)
    }

    @Test("every day of four centuries converts both ways")
    func everyDay() {
        for day in stride(from: Int64(-200_000), to: 200_000, by: 7) {
            #expect(CivilTime(unix: day * 86_400 + 3_723).unix == day * 86_400 + 3_723)
        }
    }

    @Test("years from 2050 on are written in the long form")
    func longForm() {
        var short: [UInt8] = []
        CivilTime(unix: 2_524_607_999).writeASN1(into: &short)
        #expect(short == [0x17, 13] + Array("491231235959Z".utf8))
        var long: [UInt8] = []
        CivilTime(unix: 2_524_608_000).writeASN1(into: &long)
        #expect(long == [0x18, 15] + Array("20500101000000Z".utf8))
    }

    @Test("dates the calendar does not have are refused", arguments: [
        "261321010000Z", "260230010000Z", "261121240000Z", "261121016000Z", "261121010060Z", "2611210100Z",
        "261121010000+", "2611210100 0Z", "260001000000Z", "26112101000/Z",
    ])
    func impossible(_ text: String) {
        #expect(CivilTime(asn1: Array(text.utf8)[...], generalized: false) == nil)
    }
}
