// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
package import Groundwork
package import Issuance
package import PluginAPI
import Synchronization

/// Keys in one JSON file, in the original's format: `{"keys":{"<id>":"<base64 PKCS #8>"}}`, mode 0600.
///
/// The file is read once. A file that cannot be read as keys is an error and is never written over.
package final class DiskKeyManager: KeyManager {
    private struct File: Decodable {
        var keys: [String: String]?
    }

    private let path: String
    private let lane: BlockingLane
    private let ring: Mutex<KeyRing>
    /// Makes writers take turns; the ring changes only after the file has.
    private let turn = Mutex<Void>(())

    private init(path: String, lane: BlockingLane, ring: KeyRing) {
        self.path = path
        self.lane = lane
        self.ring = Mutex(ring)
    }

    /// Opens the key file, which may not exist yet.
    /// - Throws: `key_manager.file_malformed` naming the file and the remedy; `io`.
    package static func open(path: String, lane: BlockingLane) async throws -> DiskKeyManager {
        let ring = try await lane.run { try load(path) }
        return DiskKeyManager(path: path, lane: lane, ring: ring)
    }

    package func generateKey(id: String, type: KeyType) async throws -> any ManagedKey {
        try KeyRing.check(id: id)
        return try await lane.run {
            let key = try LocalKey.generate(type)
            try self.turn.withLock { _ in
                var next = self.ring.withLock { $0 }
                next[id] = key
                try AtomicFile.write(Self.encode(next), to: self.path)
                self.ring.withLock { $0 = next }
            }
            return HeldKey(id: id, key: key)
        }
    }

    package func key(id: String) async throws -> (any ManagedKey)? {
        ring.withLock { $0[id] }.map { HeldKey(id: id, key: $0) }
    }

    package func keys() async throws -> [any ManagedKey] { ring.withLock { $0 }.held }

    private static func load(_ path: String) throws -> KeyRing {
        guard let bytes = try AtomicFile.read(path, limit: 4 << 20) else { return [:] }
        return try parse(bytes, path)
    }

    /// The public keys of a key file's contents, as DER SubjectPublicKeyInfo, ordered by id.
    /// - Throws: `key_manager.file_malformed`.
    package static func publicKeys(of bytes: [UInt8]) throws -> [(id: String, spki: [UInt8])] {
        try parse(bytes, "").sorted { $0.key < $1.key }.map { ($0.key, $0.value.publicKey.spki) }
    }

    private static func parse(_ bytes: [UInt8], _ path: String) throws -> KeyRing {
        func malformed(_ reason: String) -> SpireError {
            SpireError(
                .keyFileMalformed,
                "key file \(path) is damaged (\(reason)); restore it from a backup, or move it away to start with new keys")
        }
        guard let file = try? JSONDecoder().decode(File.self, from: Data(bytes)) else {
            throw malformed("it is not JSON of the form {\"keys\": {…}}")
        }
        var ring: KeyRing = [:]
        for (id, text) in file.keys ?? [:] {
            guard let der = Data(base64Encoded: text) else { throw malformed("key \"\(id)\" is not base64") }
            do {
                ring[id] = try LocalKey(pkcs8: [UInt8](der))
            } catch {
                throw malformed("key \"\(id)\": \(error)")
            }
        }
        return ring
    }

    private static func encode(_ ring: KeyRing) -> [UInt8] {
        var text = "{\n\t\"keys\": {"
        for (number, item) in ring.sorted(by: { $0.key < $1.key }).enumerated() {
            let value = item.value.pkcs8.reveal { Data($0).base64EncodedString() }
            text += number == 0 ? "\n" : ",\n"
            text += "\t\t\(quoted(item.key)): \"\(value)\""
        }
        text += "\n\t}\n}"
        return Array(text.utf8)
    }

    /// Key IDs are our own words, but a file is only worth what can be read back.
    private static func quoted(_ id: String) -> String {
        (try? JSONEncoder().encode(id)).map { String(decoding: $0, as: UTF8.self) } ?? "\"\""
    }
}

extension SpireError.Code {
    /// A key file exists but does not hold keys.
    package static let keyFileMalformed = SpireError.Code("key_manager.file_malformed", wire: .failedPrecondition)
}
