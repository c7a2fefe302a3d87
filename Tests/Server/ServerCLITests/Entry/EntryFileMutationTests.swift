// SPDX-License-Identifier: Apache-2.0

import APIProtos
import FoundationEssentials
import Testing
import YAML

@testable import ServerCLI

/// Files operators hand in, with bytes changed: read or refused, never a crash, and nothing half-read.
@Suite struct EntryFileMutationTests {
    private static let data = """
        {"entries":[{"selectors":[{"type":"unix","value":"uid:0"}],"spiffe_id":"spiffe://example.org/a",
        "parent_id":"spiffe://example.org/n","x509_svid_ttl":60,"admin":true,"hint":"h","dns_names":["a"],
        "additional_attributes":{"jwt_svid_include_jti":true},"entryExpiry":5,"federates_with":["spiffe://b.test"]}]}
        """
    private static let yaml = """
        owner: team
        defaults: {parent_id: spiffe://example.org/node, x509_svid_ttl: 60}
        entries:
          - spiffe_id: spiffe://example.org/a
            selectors: [unix:uid:1, {type: a, value: "b"}]
            additional_attributes: {jwt_svid_include_jti: true}
            expires_at: 5
          - {spiffe_id: 'spiffe://example.org/b', selectors: [a:b], admin: true, name: x, dns_names: [a.example]}
        """

    private struct Mutator {
        var seed: UInt64 = 20_260_826

        mutating func next(_ bound: Int) -> Int {
            seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((seed >> 33) % UInt64(max(bound, 1)))
        }

        mutating func mutated(_ text: String) -> [UInt8] {
            var bytes = Array(text.utf8)
            for _ in 0...next(3) where !bytes.isEmpty {
                let place = next(bytes.count)
                let end = min(bytes.count, place + 1 + next(12))
                switch next(5) {
                case 0: bytes[place] = UInt8(next(256))
                case 1: bytes[place] = Array("{}[]:,\"'-~&*!\n 09".utf8)[next(17)]
                case 2: bytes.removeSubrange(place..<end)
                case 3: bytes.insert(contentsOf: bytes[place..<end], at: next(bytes.count))
                default: bytes.removeLast(next(bytes.count / 4))
                }
            }
            return bytes
        }
    }

    @Test("declared entries")
    func declared() {
        var mutator = Mutator()
        var accepted = 0
        for _ in 0..<4000 {
            guard let documents = try? YAML.documents(mutator.mutated(Self.yaml)) else { continue }
            for document in documents {
                var reader = ApplyDocument(file: "f", owner: "team")
                reader.read(document)
                for item in reader.entries {
                    accepted += 1
                    let entry = item.entry
                    #expect(!entry.selectors.isEmpty && entry.hasSpiffeID && entry.hasParentID)
                    #expect(entry.selectors.allSatisfy { !$0.type.isEmpty && !$0.value.isEmpty })
                    #expect(entry.x509SvidTtl >= 0 && entry.expiresAt >= 0)
                    #expect(entry.id.hasPrefix("apply.team.") && entry.id.utf8.count == 43)
                }
            }
        }
        #expect(accepted > 200)
    }

    @Test("registration files of -data and -file")
    func registrations() throws {
        let path = FileManager.default.temporaryDirectory.path + "/data-\(UInt64.random(in: 0...(.max))).json"
        defer { try? FileManager.default.removeItem(atPath: path) }
        var mutator = Mutator()
        var accepted = 0
        for _ in 0..<2000 {
            try Data(mutator.mutated(Self.data)).write(to: URL(filePath: path))
            if let entries = try? EntryFile.entries(path) { accepted += entries.count }
            _ = try? EntryFile.ids(path)
        }
        #expect(accepted > 50)
    }
}
