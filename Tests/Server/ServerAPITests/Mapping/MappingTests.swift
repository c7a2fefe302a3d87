// SPDX-License-Identifier: Apache-2.0

import APIProtos
import Datastore
import SPIFFE
@testable import ServerAPI
import SwiftProtobuf
import Testing

@Suite struct MappingTests {
    let ids: IDRules
    let mapping: EntryMapping

    init() throws {
        ids = IDRules(try TrustDomain("example.org"))
        mapping = EntryMapping(ids)
    }

    func refusal(_ entry: Spire_Api_Types_Entry) -> String? {
        do {
            _ = try mapping.model(entry)
            return nil
        } catch {
            return APIFailure.text(of: error)
        }
    }

    @Test(
        "an entry that breaks a rule is refused with the rule's text",
        arguments: [
            ("no parent", "invalid parent ID: request must specify SPIFFE ID"),
            ("foreign parent", #"invalid parent ID: "spiffe://other.org/x" is not a member of trust domain "example.org""#),
            ("parent is the trust domain", #"invalid parent ID: "spiffe://example.org" is not a member of trust domain "example.org"; path is empty"#),
            ("no id", "invalid spiffe ID: request must specify SPIFFE ID"),
            ("foreign id", #"invalid spiffe ID: "spiffe://other.org/x" is not a member of trust domain "example.org""#),
            ("reserved id", #"invalid spiffe ID: "spiffe://example.org/spire/x" is not a workload in trust domain "example.org"; path is in the reserved namespace"#),
            ("the reserved folder", #"invalid spiffe ID: "spiffe://example.org/spire" is not a workload in trust domain "example.org"; path is in the reserved namespace"#),
            ("bad path", "invalid spiffe ID: path cannot contain empty segments"),
            ("no selectors", "selector list is empty"),
            ("no selector type", "missing selector type"),
            ("colon in type", "selector type contains ':'"),
            ("no selector value", "missing selector value"),
            ("bad dns", "invalid DNS name: idna error: idna: disallowed rune U+0040"),
            ("bad federation", "invalid federated trust domain: trust domain characters are limited to lowercase letters, numbers, dots, dashes, and underscores"),
            ("long hint", "hint is too long, max length is 1024 characters"),
        ])
    func refusals(_ flaw: String, _ text: String) {
        let entry = Spire_Api_Types_Entry.made { entry in
            switch flaw {
            case "no parent": entry.clearParentID()
            case "foreign parent": entry.parentID = .init("other.org", "/x")
            case "parent is the trust domain": entry.parentID = .init("example.org", "")
            case "no id": entry.clearSpiffeID()
            case "foreign id": entry.spiffeID = .init("other.org", "/x")
            case "reserved id": entry.spiffeID = .init("example.org", "/spire/x")
            case "the reserved folder": entry.spiffeID = .init("example.org", "/spire")
            case "bad path": entry.spiffeID = .init("example.org", "/a//b")
            case "no selectors": entry.selectors = []
            case "no selector type": entry.selectors[0].type = ""
            case "colon in type": entry.selectors[0].type = "a:b"
            case "no selector value": entry.selectors[0].value = ""
            case "bad dns": entry.dnsNames = ["a@b"]
            case "bad federation": entry.federatesWith = ["A"]
            default: entry.hint = String(repeating: "x", count: 1025)
            }
        }
        #expect(refusal(entry) == text)
    }

    @Test("a full entry survives the way in and out")
    func roundTrip() throws {
        let proto = Spire_Api_Types_Entry.made { entry in
            entry.id = "one"
            entry.x509SvidTtl = 60
            entry.jwtSvidTtl = 30
            entry.federatesWith = ["spiffe://b.org", "c.org"]
            entry.admin = true
            entry.downstream = true
            entry.expiresAt = 5
            entry.dnsNames = ["*.example.org", "web.example.org"]
            entry.storeSvid = true
            entry.hint = "internal"
            entry.additionalAttributes.jwtSvidIncludeJti = true
        }
        let model = try mapping.model(proto)
        #expect(model.federatesWith == ["spiffe://b.org", "spiffe://c.org"])
        var expected = proto
        expected.federatesWith = ["b.org", "c.org"]
        #expect(mapping.proto(model, mask: .all) == expected)
    }

    @Test("a mask shows what it names, and always the id")
    func mask() {
        var entry = RegistrationEntry.made("/web", id: "one")
        entry.hint = "x"
        let proto = mapping.proto(entry, mask: EntryMask(.with { $0.hint = true }))
        #expect(proto == .with { $0.id = "one"; $0.hint = "x" })
    }

    @Test("stored text that is no SPIFFE ID cannot be shown")
    func unshowable() {
        var entry = RegistrationEntry.made("/web")
        entry.spiffeID = "web"
        #expect(mapping.proto(entry, mask: .all) == nil)
        entry.spiffeID = "spiffe://example.orgx/web"
        #expect(mapping.proto(entry, mask: .all)?.spiffeID == .init("example.orgx", "/web"))
    }

    @Test(
        "DNS names are host names, with at most one leading wildcard",
        arguments: [
            ("example.org", true), ("*.example.org", true), ("a-b.c", true), ("1.2", true), ("", false), (" ", false),
            ("a..b", false), (".a", false), ("a.", false), ("-a", false), ("a-", false), ("a_b", true),
            ("A.org", true), ("a b", false), ("a\u{0}b", false), ("a@b", false), ("abc--d.org", true), ("ab--", false), ("*", false), ("a.*.b", false), ("*.*.b", false), ("ab--c", false), ("xn--a-0fa", true),
            ("müller.de", false),
        ])
    func dnsNames(_ name: String, _ good: Bool) {
        #expect(((try? DNSNames.check(name)) != nil) == good)
    }

    // What golang.org/x/net/idna, which the original uses, says of the same labels.
    @Test(
        "a converted label stands for something that may be in a name",
        arguments: [
            ("xn--mnchen-3ya", true), ("xn--strae-x-3va", true), ("xn--hxa3ahjw4a", true), ("xn--fiqs8s", true),
            ("xn--l2bey1c2b", true), ("xn--mgbcd4a2b0d2b", true), ("xn--5dbqzzl", true), ("xn--ls8h.org", true),
            ("xn--mgba3gch31f060k", true), ("xn--11b2ezcs70k", true), ("xn--11b2ezcw70k", true), ("xn--zca", true),
            ("xn--b-oca", false), ("xn--orh", false), ("xn--bc-kw3n", false), ("xn--x-sy8h", false), ("xn--x-rda", false),
            ("xn--ab-5da", false), ("xn--a-wbb", false), ("xn--abb-fn0a", false), ("xn--xy-j1t", false),
            ("xn--tvg", false), ("xn--a-3ba", false), ("xn--4g7c", false), ("xn--", false), ("xn--a", false),
            ("xn--abc-", false), ("XN--MLLER-KVA.de", false), ("xn--99999999999999999999", false),
        ])
    func convertedLabels(_ name: String, _ good: Bool) {
        #expect(((try? DNSNames.check(name)) != nil) == good)
    }

    @Test("a label longer than 63 or a name longer than 253 bytes is refused")
    func longNames() {
        #expect(throws: Malformed.self) { try DNSNames.check(String(repeating: "a", count: 64)) }
        #expect(throws: Malformed.self) {
            try DNSNames.check(Array(repeating: "abcdefg", count: 32).joined(separator: "."))
        }
    }

    @Test("a wildcard that covers another name is noticed")
    func overlap() {
        #expect(DNSNames.wildcardOverlap(["*.a.org", "x.a.org"]))
        #expect(!DNSNames.wildcardOverlap(["*.a.org", "x.b.a.org", "a.org"]))
    }

    @Test(
        "expiry filters read Go's time layout and ignore other text",
        arguments: [
            ("2026-11-21 01:07:16 +0000 +00", 1_795_223_236 as Int64?), ("2026-11-21 03:07:16 +0200 +02", 1_795_223_236),
            ("1970-01-01 00:00:00 +0000 UTC", 0), ("2026-11-21T01:07:16Z", nil), ("", nil), ("x y z w", nil),
            ("2026-13-01 00:00:00 +0000 +00", nil),
        ])
    func times(_ text: String, _ seconds: Int64?) {
        #expect(GoTime.parse(text) == seconds)
    }

    @Test(
        "agent IDs must be in the agents' namespace",
        arguments: [
            ("/spire/agent/x/y", nil as String?),
            ("/web", #""spiffe://example.org/web" is not an agent in trust domain "example.org"; path is not in the agent namespace"#),
        ])
    func agentIDs(_ path: String, _ text: String?) {
        do {
            _ = try ids.agent(.init("example.org", path))
            #expect(text == nil)
        } catch {
            #expect(APIFailure.text(of: error) == text)
        }
    }
}
