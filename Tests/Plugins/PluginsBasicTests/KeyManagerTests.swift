// SPDX-License-Identifier: Apache-2.0

import Foundation
import Groundwork
import Issuance
import PluginAPI
import PluginsBasic
import TestKit
import Testing

@Suite struct KeyManagerTests {
    private let lane = BlockingLane("test.keys", width: 2)

    /// What every key manager promises.
    private func conforms(_ keys: some KeyManager) async throws {
        #expect(try await keys.keys().isEmpty)
        #expect(try await keys.key(id: "x509-CA-A") == nil)
        await #expect(throws: SpireError(.invalid, "")) { try await keys.generateKey(id: "", type: .ecP256) }

        let b = try await keys.generateKey(id: "b", type: .ecP256)
        let a = try await keys.generateKey(id: "a", type: .ecP384)
        let c = try await keys.generateKey(id: "c", type: .rsa2048)
        #expect(try await keys.keys().map(\.id) == ["a", "b", "c"])
        #expect([a, b, c].map(\.publicKey.type) == [.ecP384, .ecP256, .rsa2048])
        for key in [a, b, c] { try await signs(key) }
        #expect(try await keys.key(id: "b")?.publicKey == b.publicKey)

        let replaced = try await keys.generateKey(id: "b", type: .ecP256)
        #expect(replaced.publicKey != b.publicKey)
        #expect(try await keys.key(id: "b")?.publicKey == replaced.publicKey)
        #expect(try await keys.keys().count == 3)
        try await signs(b)
        let exported = try #require(replaced as? any ExportableKey)
        #expect(try LocalKey(pkcs8: exported.pkcs8.reveal { $0 }).publicKey == replaced.publicKey)
    }

    private func signs(_ key: any ManagedKey) async throws {
        let type = try #require(key.publicKey.type)
        let message = Array("message".utf8)
        let signature = try await key.sign(message, scheme: type.signatureScheme)
        let publicKey = try SubjectPublicKey(spki: key.publicKey.spki)
        #expect(
            publicKey.verifies(
                signature[...], of: message[...], algorithm: type.signatureScheme.algorithmIdentifier[...]))
    }

    private func inFolder(_ body: (String) async throws -> Void) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try await body(folder.path + "/keys.json")
    }

    @Test("the memory key manager keeps its promises")
    func memory() async throws { try await conforms(MemoryKeyManager(lane: lane)) }

    @Test("the disk key manager keeps its promises, and its keys outlive it")
    func disk() async throws {
        try await inFolder { path in
            try await conforms(DiskKeyManager.open(path: path, lane: lane))
            let again = try await DiskKeyManager.open(path: path, lane: lane)
            #expect(try await again.keys().map(\.id) == ["a", "b", "c"])
            for key in try await again.keys() { try await signs(key) }
        }
    }

    @Test("the key file has the original's layout and is its owner's alone")
    func layout() async throws {
        try await inFolder { path in
            let keys = try await DiskKeyManager.open(path: path, lane: lane)
            _ = try await keys.generateKey(id: "x509-CA-A", type: .ecP256)
            _ = try await keys.generateKey(id: "JWT-Signer-A", type: .ecP256)
            let text = try String(contentsOfFile: path, encoding: .utf8)
            var values: [String] = []
            for id in ["JWT-Signer-A", "x509-CA-A"] {
                let key = try #require(try await keys.key(id: id) as? any ExportableKey)
                values.append(key.pkcs8.reveal { Data($0).base64EncodedString() })
            }
            #expect(
                text == "{\n\t\"keys\": {\n\t\t\"JWT-Signer-A\": \"\(values[0])\",\n\t\t\"x509-CA-A\": \"\(values[1])\"\n\t}\n}")
            let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
            #expect(mode == 0o600)
            #expect(!FileManager.default.fileExists(atPath: path + ".tmp"))
        }
    }

    @Test("the original's key file opens, and is the same after a key was added and looked at", arguments: [
        ("server", ["JWT-Signer-A", "x509-CA-A"]), ("agent", ["agent-svid-A"]),
    ])
    func sample(_ whose: String, _ ids: [String]) async throws {
        guard let bytes = try Samples.bytes("spire-state/sqlite/\(whose)/keys.json") else { return }
        try await inFolder { path in
            try Data(bytes).write(to: URL(filePath: path))
            let keys = try await DiskKeyManager.open(path: path, lane: lane)
            #expect(try await keys.keys().map(\.id) == ids)
            #expect(try Data(contentsOf: URL(filePath: path)) == Data(bytes))
            _ = try await keys.generateKey(id: "zz", type: .ecP256)
            let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
            let original = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
            // Old lines stand as they were; the last key has got a comma and a follower.
            #expect(lines.prefix(original.count - 3).elementsEqual(original.prefix(original.count - 3)))
            #expect(lines.count == original.count + 1)
        }
    }

    @Test("a damaged key file is refused by name with a remedy, and stays as it is", arguments: [
        "", "{", "{\"keys\": {\"x509-CA-A\": \"MIGHAgEA", "[]", "{\"keys\": []}", "{\"keys\": {\"a\": 1}}",
        "{\"keys\": {\"a\": \"***\"}}", "{\"keys\": {\"a\": \"MIGHAgEAMBMGByqGSM49\"}}", "{\"keys\": {\"a\": \"\"}}",
    ])
    func damaged(_ text: String) async throws {
        try await inFolder { path in
            try Data(text.utf8).write(to: URL(filePath: path))
            let error = await #expect(throws: SpireError.self) { try await DiskKeyManager.open(path: path, lane: lane) }
            #expect(error?.code == .keyFileMalformed)
            #expect(error?.message.contains(path) == true && error?.message.contains("backup") == true)
            #expect(error?.message.contains("MIGH") == false)
            #expect(try Data(contentsOf: URL(filePath: path)) == Data(text.utf8))
        }
    }

    @Test("a file without keys is an empty set, as the original reads it", arguments: [
        "{}", "{\"keys\": {}}", "{\"keys\": null}", "{\"other\": 1}",
    ])
    func empty(_ text: String) async throws {
        try await inFolder { path in
            try Data(text.utf8).write(to: URL(filePath: path))
            #expect(try await DiskKeyManager.open(path: path, lane: lane).keys().isEmpty)
        }
    }

    @Test("a key that cannot be stored is not handed out and does not replace the old one")
    func unwritable() async throws {
        try await inFolder { path in
            let keys = try await DiskKeyManager.open(path: path, lane: lane)
            let first = try await keys.generateKey(id: "a", type: .ecP256)
            let stored = try Data(contentsOf: URL(filePath: path))
            // A folder of that name stands in the way of the temporary file, whoever runs the test.
            try FileManager.default.createDirectory(atPath: path + ".tmp/x", withIntermediateDirectories: true)
            await #expect(throws: SpireError(.io, "")) { try await keys.generateKey(id: "a", type: .ecP256) }
            #expect(try await keys.key(id: "a")?.publicKey == first.publicKey)
            #expect(try Data(contentsOf: URL(filePath: path)) == stored)
        }
    }

    @Test("keys generated at once are all stored")
    func concurrent() async throws {
        try await inFolder { path in
            let keys = try await DiskKeyManager.open(path: path, lane: lane)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<20 {
                    group.addTask { _ = try await keys.generateKey(id: "key-\(number % 10)", type: .ecP256) }
                }
                try await group.waitForAll()
            }
            let held = try await keys.keys().map(\.publicKey)
            #expect(held.count == 10)
            #expect(try await DiskKeyManager.open(path: path, lane: lane).keys().map(\.publicKey) == held)
        }
    }
}
