// SPDX-License-Identifier: Apache-2.0

import APIProtos
import CLISupport
import ServerAPI
import Testing
import YAML

@testable import ServerCLI

@Suite struct ApplyPlanTests {
    /// Reads a YAML text as owner `team`'s file.
    static func declared(_ text: String, owner: String = "team") throws -> [DeclaredEntry] {
        var all: [DeclaredEntry] = []
        for document in try YAML.documents(Array(text.utf8)) {
            var reader = ApplyDocument(file: "f.yaml", owner: owner)
            reader.read(document)
            if !reader.problems.isEmpty { throw reader.problems }
            all += reader.entries
        }
        return all
    }

    static func entry(_ path: String, selectors: [String] = ["unix:uid:0"], name: String? = nil, more: String = "") -> String {
        let name = name.map { "\n  name: \($0)" } ?? ""
        return """
            - spiffe_id: spiffe://example.org\(path)\(name)
              parent_id: spiffe://example.org/node
              selectors: [\(selectors.map { "'\($0)'" }.joined(separator: ", "))]
            \(more.isEmpty ? "" : "  \(more)\n")
            """
    }

    private func plan(
        _ text: String, owned: [Spire_Api_Types_Entry] = [], similar: [String: Spire_Api_Types_Entry] = [:],
        prune: Bool = false, adopt: Bool = false
    ) throws -> ApplyPlan {
        ApplyPlan(
            declared: try Self.declared(text), owner: "team", owned: owned, similar: similar,
            options: .init(prune: prune, adopt: adopt))
    }

    @Test("an entry's id follows from its owner and its name or IDs, not from anything else")
    func ids() throws {
        let a = try Self.declared(Self.entry("/a"))[0].entry.id
        #expect(a.hasPrefix("apply.team."))
        #expect(EntryOwner.name(ofEntry: a) == "team")
        #expect(try Self.declared(Self.entry("/a", selectors: ["unix:uid:5"], more: "hint: x"))[0].entry.id == a)
        #expect(try Self.declared(Self.entry("/b"))[0].entry.id != a)
        #expect(try Self.declared(Self.entry("/a"), owner: "other")[0].entry.id != a)
        let named = try Self.declared(Self.entry("/a", name: "web"))[0].entry.id
        #expect(try Self.declared(Self.entry("/b", name: "web"))[0].entry.id == named)
        // A name must not be able to pass for a pair of IDs.
        let pair = "\"spiffe://example.org/a\\0spiffe://example.org/node\""
        #expect(try Self.declared(Self.entry("/c", name: pair))[0].entry.id != a)
    }

    @Test("what is declared and stored alike is unchanged, whatever the order of sets")
    func unchanged() throws {
        var stored = try Self.declared(Self.entry("/a", selectors: ["unix:uid:0", "unix:gid:0"]))[0].entry
        stored.selectors.reverse()
        stored.revisionNumber = 7
        stored.createdAt = 9
        let plan = try plan(Self.entry("/a", selectors: ["unix:uid:0", "unix:gid:0"]), owned: [stored], prune: true)
        #expect(plan.isEmpty)
        #expect(plan.unchanged == 1)
    }

    @Test("a change names its fields, old and new, and goes out with their mask and the revision that was read")
    func update() throws {
        var stored = try Self.declared(Self.entry("/a"))[0].entry
        stored.revisionNumber = 3
        stored.hint = "old"
        let plan = try plan(
            Self.entry("/a", selectors: ["unix:uid:1"], more: "hint: new"), owned: [stored])
        #expect(
            plan.updates.first?.changes == [
                FieldChange(field: "selectors", old: "[\"unix:uid:0\"]", new: "[\"unix:uid:1\"]"),
                FieldChange(field: "hint", old: "\"old\"", new: "\"new\""),
            ])
        let sent = try #require(plan.additions.first?.first?.update)
        #expect(sent.expectedRevision == 3)
        #expect(sent.inputMask.hint && sent.inputMask.selectors && !sent.inputMask.spiffeID && !sent.inputMask.admin)
        #expect(sent.entry.id == stored.id)
    }

    @Test("every field of an entry that differs is found")
    func everyField() throws {
        let stored = try Self.declared(Self.entry("/a", name: "x"))[0].entry
        let text = """
            - name: x
              spiffe_id: spiffe://example.org/b
              parent_id: spiffe://example.org/other
              selectors: [unix:uid:9]
              x509_svid_ttl: 1
              jwt_svid_ttl: 2
              federates_with: [other.test]
              admin: true
              downstream: true
              store_svid: true
              expires_at: 5
              dns_names: [a.example]
              hint: h
              additional_attributes: {disable_x509_svid_prefetch: true, jwt_svid_include_jti: true}
            """
        let plan = try plan(text, owned: [stored])
        let fields = plan.updates.first?.changes.map(\.field)
        #expect(
            fields == [
                "spiffe_id", "parent_id", "selectors", "x509_svid_ttl", "jwt_svid_ttl", "federates_with", "admin",
                "downstream", "expires_at", "dns_names", "store_svid", "hint", "additional_attributes",
            ])
    }

    @Test("what is declared no more is deleted with -prune, after everything else, and else left alone")
    func prune() throws {
        var gone = try Self.declared(Self.entry("/gone"))[0].entry
        gone.revisionNumber = 2
        let kept = try plan(Self.entry("/a"), owned: [gone])
        #expect(kept.removals.isEmpty)
        #expect(kept.kept.map(\.id) == [gone.id])
        let pruned = try plan(Self.entry("/a"), owned: [gone], prune: true)
        #expect(pruned.additions.count == 1)
        #expect(pruned.removals.first?.first?.delete.id == gone.id)
        #expect(pruned.removals.first?.first?.delete.expectedRevision == 2)
    }

    @Test("an entry nobody owns is in the way until it is taken over, and another owner's always")
    func inTheWay() throws {
        let wanted = try Self.declared(Self.entry("/a"))[0].entry
        var other = wanted
        other.id = "11111111-2222-3333-4444-555555555555"
        let refused = try plan(Self.entry("/a"), similar: [wanted.id: other])
        #expect(refused.problems.texts.first?.hasSuffix("which nobody owns; -adopt takes it over") == true)
        let adopted = try plan(Self.entry("/a"), similar: [wanted.id: other], adopt: true)
        #expect(adopted.problems.isEmpty)
        #expect(adopted.additions.first?.first?.replace.replacedID == other.id)
        other.id = "apply.rivals.0123"
        let owned = try plan(Self.entry("/a"), similar: [wanted.id: other], prune: true, adopt: true)
        #expect(owned.problems.texts.first?.contains("belongs to owner \"rivals\"") == true)
        #expect(owned.isEmpty)
    }

    @Test("an entry that gets another name takes the old one's place in one step")
    func renamed() throws {
        let old = try Self.declared(Self.entry("/a", name: "old"))[0].entry
        let new = try Self.declared(Self.entry("/a", name: "new"))[0].entry
        let text = Self.entry("/a", name: "new")
        #expect(try !plan(text, owned: [old], similar: [new.id: old]).problems.isEmpty)
        let plan = try plan(text, owned: [old], similar: [new.id: old], prune: true)
        #expect(plan.additions.first?.first?.replace.replacedID == old.id)
        #expect(plan.removals.isEmpty)
    }

    @Test("what only fits after a change goes out right behind it, in the same request")
    func coupled() throws {
        let stored = try (0..<3).map { try Self.declared(Self.entry("/a", selectors: ["unix:uid:\($0)"], name: "n\($0)"))[0].entry }
        // n1 moves to uid 9, and the new one takes what it leaves.
        let text =
            Self.entry("/a", selectors: ["unix:uid:7"], name: "n0") + Self.entry("/a", selectors: ["unix:uid:9"], name: "n1")
            + Self.entry("/a", selectors: ["unix:uid:2"], name: "n2") + Self.entry("/a", selectors: ["unix:uid:1"], name: "new")
        let new = try Self.declared(Self.entry("/a", selectors: ["unix:uid:1"], name: "new"))[0].entry
        let plan = try plan(text, owned: stored, similar: [new.id: stored[1]], prune: true)
        #expect(plan.problems.isEmpty)
        #expect(plan.additions.map(\.count) == [1, 2])
        #expect(plan.additions[1][0].update.entry.id == stored[1].id)
        #expect(plan.additions[1][1].create.id == new.id)
        #expect(ApplyPlan.batches(plan.additions, size: 2).map(\.count) == [1, 2])
        #expect(ApplyPlan.batches(plan.additions, size: 3).map(\.count) == [3])
        #expect(plan.count == 3)
    }
}
