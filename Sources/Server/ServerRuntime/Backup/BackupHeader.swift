// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
package import Groundwork
import SPIFFE

/// What a backup says about itself, readable without a passphrase.
package struct BackupHeader: Sendable, Hashable {
    static let magic = Array("swift-spire-backup 1\n".utf8)
    /// Of the header's JSON, in bytes.
    static let longest = 1 << 20

    /// A key that existed when the backup was taken.
    package struct KeyReference: Sendable, Hashable {
        package var id: String
        /// Lower-case hexadecimal SHA-256 of the public key's DER SubjectPublicKeyInfo.
        package var fingerprint: String
    }

    /// How the passphrase became a key.
    struct Derivation: Sendable, Hashable {
        /// scrypt's cost: a power of two.
        var n: Int
        var r: Int
        var p: Int
        var salt: [UInt8]
    }

    package var trustDomain: String
    /// Unix seconds.
    package var takenAt: Int64
    /// Of the program that took it.
    package var version: String
    package var database: String
    package var schema: Int64
    package var keyManager: String
    package var keys: [KeyReference]
    /// Whether the private keys are in it: only ever encrypted.
    package var holdsPrivateKeys: Bool
    var derivation: Derivation?

    package var isEncrypted: Bool { derivation != nil }

    var json: JSONValue {
        var object: JSONObject = [
            "trust_domain": .string(trustDomain), "taken_at": .integer(takenAt), "version": .string(version),
            "database": .string(database), "schema": .integer(schema), "key_manager": .string(keyManager),
            "keys": .array(
                keys.map { .object(["id": .string($0.id), "public_key_sha256": .string($0.fingerprint)]) }),
            "private_keys": .bool(holdsPrivateKeys),
        ]
        if let derivation {
            object["encryption"] = .object([
                "cipher": .string("AES-256-GCM"), "kdf": .string("scrypt"), "n": .integer(Int64(derivation.n)),
                "r": .integer(Int64(derivation.r)), "p": .integer(Int64(derivation.p)),
                "salt": .string(Data(derivation.salt).base64EncodedString()),
            ])
        }
        return .object(object)
    }

    /// - Throws: `backup.damaged`.
    init(json: JSONValue) throws {
        func missing(_ name: String) -> SpireError { BackupFailure.damaged("its header has no usable \(name)") }
        func text(_ name: String) throws -> String {
            guard let text = json.object?[name]?.string else { throw missing(name) }
            return text
        }
        func number(_ name: String) throws -> Int64 {
            guard let number = json.object?[name]?.integer else { throw missing(name) }
            return number
        }
        trustDomain = try text("trust_domain")
        takenAt = try number("taken_at")
        version = try text("version")
        database = try text("database")
        schema = try number("schema")
        keyManager = try text("key_manager")
        guard let list = json.object?["keys"]?.array else { throw missing("keys") }
        keys = try list.map { item in
            guard let id = item.object?["id"]?.string, let print = item.object?["public_key_sha256"]?.string else {
                throw missing("keys")
            }
            return KeyReference(id: id, fingerprint: print)
        }
        guard let holds = json.object?["private_keys"]?.bool else { throw missing("private_keys") }
        holdsPrivateKeys = holds
        if let encryption = json.object?["encryption"] { derivation = try Derivation(json: encryption) }
        if holdsPrivateKeys, derivation == nil { throw BackupFailure.damaged("it holds private keys in the clear") }
    }

    init(
        trustDomain: String, takenAt: Int64, database: String, schema: Int64, keyManager: String,
        keys: [KeyReference], holdsPrivateKeys: Bool, derivation: Derivation?
    ) {
        self.trustDomain = trustDomain
        self.takenAt = takenAt
        self.version = Version.number
        self.database = database
        self.schema = schema
        self.keyManager = keyManager
        self.keys = keys
        self.holdsPrivateKeys = holdsPrivateKeys
        self.derivation = derivation
    }
}

extension BackupHeader.Derivation {
    /// A tenth of a second and 64 MiB on a core of 2020.
    static let cost = 1 << 16
    /// What a header may ask of us: a hostile one must not make us take gigabytes.
    private static let costs = (1 << 10)...(1 << 20)

    init(salt: [UInt8], cost: Int = cost) {
        self.init(n: cost, r: 8, p: 1, salt: salt)
    }

    fileprivate init(json: JSONValue) throws {
        guard json.object?["cipher"]?.string == "AES-256-GCM", json.object?["kdf"]?.string == "scrypt" else {
            throw BackupFailure.damaged("it is encrypted in a way this program does not know")
        }
        guard let n = json.object?["n"]?.integer, let r = json.object?["r"]?.integer,
            let p = json.object?["p"]?.integer, Self.costs.contains(Int(clamping: n)), n & (n - 1) == 0, r == 8,
            (1...4).contains(p), let text = json.object?["salt"]?.string, let salt = Data(base64Encoded: text),
            (16...64).contains(salt.count)
        else { throw BackupFailure.damaged("its header asks for a key to be derived in a way that is not allowed") }
        self.init(n: Int(n), r: Int(r), p: Int(p), salt: [UInt8](salt))
    }
}

/// How taking, reading and restoring a backup fails.
enum BackupFailure {
    static func damaged(_ why: String) -> SpireError {
        SpireError(.backupDamaged, "the backup cannot be used: \(why)")
    }
    static func refused(_ why: String) -> SpireError { SpireError(.backupRefused, why) }
}

extension SpireError.Code {
    /// The file is not a backup, is cut short, or was altered.
    package static let backupDamaged = SpireError.Code("backup.damaged", wire: .dataLoss)
    /// What was asked would destroy something, or cannot be done as things are.
    package static let backupRefused = SpireError.Code("backup.refused", wire: .failedPrecondition)
}
