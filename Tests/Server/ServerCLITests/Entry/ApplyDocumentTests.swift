// SPDX-License-Identifier: Apache-2.0

import APIProtos
import CLISupport
import FoundationEssentials
import Testing
import YAML

@testable import ServerCLI

@Suite struct ApplyDocumentTests {
    private func problems(_ text: String, owner: String = "team") throws -> [String] {
        var texts: [String] = []
        for document in try YAML.documents(Array(text.utf8)) {
            var reader = ApplyDocument(file: "f.yaml", owner: owner)
            reader.read(document)
            texts += reader.problems.texts
        }
        return texts
    }

    @Test("defaults count for every entry of their document, and an entry's own values before them")
    func defaults() throws {
        let declared = try ApplyPlanTests.declared(
            """
            owner: team
            defaults:
              parent_id: spiffe://example.org/node
              x509_svid_ttl: 60
              dns_names: [a.example]
            entries:
              - {spiffe_id: spiffe://example.org/a, selectors: [unix:uid:1]}
              - {spiffe_id: spiffe://example.org/b, selectors: [{type: unix, value: 'uid:1'}], x509_svid_ttl: 5, dns_names: }
            """)
        #expect(declared.map(\.entry.x509SvidTtl) == [60, 5])
        #expect(declared.map(\.entry.parentID.path) == ["/node", "/node"])
        #expect(declared.map(\.entry.dnsNames) == [["a.example"], []])
        #expect(declared[1].entry.selectors.first?.value == "uid:1")
        #expect(declared.map(\.place) == ["f.yaml:7", "f.yaml:8"])
    }

    @Test("everything wrong with a file is told at once, with its line")
    func allProblems() throws {
        let found = try problems(
            """
            owner: rivals
            extra: 1
            entries:
              - spiffe_id: not-an-id
                selectors: []
                admin: yes
                x509_svid_ttl: -1
                jwt_svid_ttl: 4294967296
                colour: red
                entry_id: x
              - 5
            """)
        #expect(found.contains("f.yaml:1: the file is owner \"rivals\"'s, not \"team\"'s; see -owner"))
        #expect(found.contains("f.yaml:2: unknown key \"extra\"; known are owner, defaults, entries"))
        #expect(found.contains("f.yaml:4: parent_id is missing"))
        #expect(found.contains { $0.hasPrefix("f.yaml:4: spiffe_id \"not-an-id\": ") })
        #expect(found.contains("f.yaml:5: selectors must list at least one selector"))
        #expect(found.contains("f.yaml:6: admin is not true or false"))
        #expect(found.contains("f.yaml:7: x509_svid_ttl is not a whole number from 0 to 2147483647"))
        #expect(found.contains("f.yaml:8: jwt_svid_ttl is not a whole number from 0 to 2147483647"))
        #expect(found.contains { $0.hasPrefix("f.yaml:9: unknown key \"colour\"") })
        #expect(found.contains("f.yaml:10: entry_id cannot be declared: the id follows from the owner and the name"))
        #expect(found.contains("f.yaml:11: an entry is an object"))
    }

    @Test(
        "hostile values are refused one by one",
        arguments: [
            ("selectors: [unix]", "must be formatted as type:value"),
            ("selectors: ['unix:uid:0', {type: unix, value: 'uid:0'}]", "is there twice"),
            ("selectors: [':x']", "has a type without a colon and a value"),
            ("selectors: [{type: 'a:b', value: c}]", "has a type without a colon and a value"),
            ("selectors: unix:uid:0", "selectors must list"),
            ("parent_id: 'spiffe://example.org/../x'", "parent_id"),
            ("parent_id: [a]", "parent_id is not a text"),
            ("expires_at: 1\n  entryExpiry: 1", "are the same; give one"),
            ("expires_at: 1e9", "expires_at is not a whole number"),
            ("federates_with: other.test", "federates_with is not a list"),
            ("additional_attributes: {x: true}", "unknown key \"x\" of additional_attributes"),
            ("admin: 'true'", "admin is not true or false"),
            ("name: {}", "name is not a text"),
        ])
    func hostile(line: String, message: String) throws {
        let key = line.prefix { $0 != ":" }
        let fields = [
            ("spiffe_id", "spiffe://example.org/a"), ("parent_id", "spiffe://example.org/node"),
            ("selectors", "[unix:uid:0]"),
        ].filter { $0.0 != key }.map { "  \($0.0): \($0.1)" }
        let found = try problems("- x: \n" + (fields + ["  \(line)"]).joined(separator: "\n") + "\n")
        #expect(found.contains { $0.contains(message) }, "\(found)")
    }

    @Test("files of a folder count by their ending, in order; JSON and SPIRE's own registration files are read too")
    func folder() throws {
        let folder = FileManager.default.temporaryDirectory.path + "/apply-\(UInt64.random(in: 0...(.max)))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        func write(_ name: String, _ text: String) throws {
            try InputFile.write(text, to: folder + "/" + name, mode: 0o600)
        }
        try write("b.yaml", ApplyPlanTests.entry("/b"))
        try write("a.yml", ApplyPlanTests.entry("/a"))
        try write(
            "c.json",
            """
            {"entries": [{"spiffe_id": "spiffe://example.org/c", "parent_id": "spiffe://example.org/node",
              "selectors": [{"type": "unix", "value": "uid:0"}], "x509_svid_ttl": 60, "admin": true}]}
            """)
        try write("ignored.txt", "{")
        try write(".hidden.yaml", "{")
        let declared = try ApplyFiles.read(folder, owner: "team")
        #expect(declared.map(\.entry.spiffeID.path) == ["/a", "/b", "/c"])
        #expect(declared[2].entry.admin && declared[2].entry.x509SvidTtl == 60)

        try write("d.yaml", ApplyPlanTests.entry("/a"))
        let repeated = #expect(throws: CommandFailure.self) { try ApplyFiles.read(folder, owner: "team") }
        #expect(repeated?.message.contains("is declared at \(folder)/a.yml:1 already; give each a name") == true)
        try write("d.yaml", ApplyPlanTests.entry("/a", name: "again"))
        let same = #expect(throws: CommandFailure.self) { try ApplyFiles.read(folder, owner: "team") }
        #expect(same?.message.contains("has the SPIFFE ID, parent and selectors of the one at \(folder)/a.yml:1") == true)
        try write("d.yaml", "entries: [")
        let broken = #expect(throws: CommandFailure.self) { try ApplyFiles.read(folder, owner: "team") }
        #expect(broken?.message.hasPrefix("nothing was applied:\n\(folder)/d.yaml: line ") == true)
        #expect(throws: CommandFailure.self) { try ApplyFiles.read(folder + "/none.yaml", owner: "team") }
    }
}
