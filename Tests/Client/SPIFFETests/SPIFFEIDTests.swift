// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import SPIFFE

@Suite struct SPIFFEIDTests {
    static let badDomain =
        "trust domain characters are limited to lowercase letters, numbers, dots, dashes, and underscores"
    static let badPath = "path segment characters are limited to letters, numbers, dots, dashes, and underscores"

    @Test(
        "accepts what the standard allows",
        arguments: [
            ("spiffe://example.org", "example.org", ""),
            ("spiffe://example.org/web", "example.org", "/web"),
            ("spiffe://example.org/a/B/9/x.y-z_", "example.org", "/a/B/9/x.y-z_"),
            ("spiffe://1.2.3.4/x", "1.2.3.4", "/x"),
            ("spiffe://_a../x", "_a..", "/x"),
            ("spiffe://-/x", "-", "/x"),
            ("spiffe://td/...", "td", "/..."),
            ("spiffe://td/.a/..b/c..", "td", "/.a/..b/c.."),
        ])
    func accepted(text: String, trustDomain: String, path: String) throws {
        let id = try SPIFFEID(text)
        #expect(id.trustDomain.name == trustDomain)
        #expect(id.path == path)
        #expect(id.description == text)
    }

    @Test(
        "refuses everything else and names the rule",
        arguments: [
            ("", "cannot be empty"),
            ("http://td/x", "scheme is missing or invalid"),
            ("SPIFFE://td/x", "scheme is missing or invalid"),
            ("spiffe:/td/x", "scheme is missing or invalid"),
            ("spiffe:td", "scheme is missing or invalid"),
            ("td/x", "scheme is missing or invalid"),
            (" spiffe://td", "scheme is missing or invalid"),
            ("spiffe://", "trust domain is missing"),
            ("spiffe:///x", "trust domain is missing"),
            ("spiffe://td/x?a", badPath),
            ("spiffe://td/x?", badPath),
            ("spiffe://td/x#f", badPath),
            ("spiffe://td#", badDomain),
            ("spiffe://td?a", badDomain),
            ("spiffe://u@td/x", badDomain),
            ("spiffe://td:80/x", badDomain),
            ("spiffe://td:/x", badDomain),
            ("spiffe://Td/x", badDomain),
            ("spiffe://t%64/x", badDomain),
            ("spiffe://[::1]/x", badDomain),
            ("spiffe://t\u{e4}/x", badDomain),
            ("spiffe://td\u{301}/x", badDomain),
            ("spiffe://td /x", badDomain),
            ("spiffe://td\0/x", badDomain),
            ("spiffe://td/a%20b", badPath),
            ("spiffe://td/a b", badPath),
            ("spiffe://td/\u{e4}", badPath),
            ("spiffe://td/a\u{301}", badPath),
            ("spiffe://td/a\n", badPath),
            ("spiffe://td/\r\n", badPath),
            ("spiffe://td/a\\b", badPath),
            ("spiffe://td/", "path cannot have a trailing slash"),
            ("spiffe://td/a/", "path cannot have a trailing slash"),
            ("spiffe://td//a", "path cannot contain empty segments"),
            ("spiffe://td/a//b", "path cannot contain empty segments"),
            ("spiffe://td//", "path cannot contain empty segments"),
            ("spiffe://td/.", "path cannot contain dot segments"),
            ("spiffe://td/..", "path cannot contain dot segments"),
            ("spiffe://td/./a", "path cannot contain dot segments"),
            ("spiffe://td/a/../b", "path cannot contain dot segments"),
        ])
    func refused(text: String, reason: String) {
        #expect(message { _ = try SPIFFEID(text) } == reason)
    }

    @Test("allows exactly the characters of the standard, byte by byte")
    func characters() {
        let domain = Set("abcdefghijklmnopqrstuvwxyz0123456789.-_".utf8)
        let path = domain.union("ABCDEFGHIJKLMNOPQRSTUVWXYZ".utf8)
        for byte in UInt8(0)..<128 where byte != UInt8(ascii: "/") {
            let character = String(UnicodeScalar(byte))
            #expect(((try? SPIFFEID("spiffe://a\(character)b")) != nil) == domain.contains(byte), "\(byte)")
            #expect(((try? SPIFFEID("spiffe://td/a\(character)b")) != nil) == path.contains(byte), "\(byte)")
        }
    }

    @Test("supports 2048 bytes and no more, and trust domains of 255")
    func lengths() throws {
        let prefix = "spiffe://td/"
        let longest = prefix + String(repeating: "a", count: 2048 - prefix.utf8.count)
        #expect(try SPIFFEID(longest).description == longest)
        #expect(throws: SPIFFEError(.invalidID, "")) { try SPIFFEID(longest + "a") }
        #expect(throws: SPIFFEError(.invalidID, "")) {
            try SPIFFEID(TrustDomain("td"), path: "/" + String(repeating: "a", count: 2048))
        }
        #expect(try TrustDomain(String(repeating: "a", count: 255)).name.count == 255)
        #expect(throws: SPIFFEError(.invalidID, "")) { try TrustDomain(String(repeating: "a", count: 256)) }
    }

    @Test("a trust domain is taken from a bare name or from an ID")
    func trustDomains() throws {
        #expect(try TrustDomain("example.org").id.description == "spiffe://example.org")
        #expect(try TrustDomain("spiffe://example.org/a/b").name == "example.org")
        #expect(message { _ = try TrustDomain("") } == "trust domain is missing")
        #expect(message { _ = try TrustDomain("Example.org") } == Self.badDomain)
        #expect(message { _ = try TrustDomain("http://example.org") } == "scheme is missing or invalid")
        #expect(message { _ = try TrustDomain("spiffe://example.org/") } == "path cannot have a trailing slash")
    }

    @Test("a path is joined only when it is one")
    func joining() throws {
        let td = try TrustDomain("td")
        #expect(try SPIFFEID(td, path: "/a").description == "spiffe://td/a")
        #expect(try SPIFFEID(td, path: "") == td.id)
        #expect(message { _ = try SPIFFEID(td, path: "a") } == "path must have a leading slash")
        #expect(message { _ = try SPIFFEID(td, path: "/") } == "path cannot have a trailing slash")
    }

    @Test("IDs sort by trust domain, then path")
    func order() throws {
        let sorted = try ["spiffe://a", "spiffe://a/b", "spiffe://a/c", "spiffe://b/a"].map { try SPIFFEID($0) }
        #expect(sorted.reversed().sorted() == sorted)
        #expect(sorted[1].isMember(of: sorted[0].trustDomain))
        #expect(!sorted[3].isMember(of: sorted[0].trustDomain))
    }
}
