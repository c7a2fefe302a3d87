// SPDX-License-Identifier: Apache-2.0

import Crypto
import FoundationEssentials
package import Groundwork
import Issuance
import PluginsBasic
import SPIFFE
import SQLDatastore
package import Telemetry

/// Takes, checks and restores backups: the datastore as of one moment, with the authorities' journals in it, and the
/// keys that belong to it.
package struct Backup: Sendable {
    /// Holds the passphrase when no file does.
    package static let passphraseVariable = "SPIRE_BACKUP_PASSPHRASE"
    /// Of a key file, in bytes.
    private static let longestKeyFile = 4 << 20
    /// Times a backup is begun anew because keys were made meanwhile.
    private static let attempts = 5

    /// What a backup holds.
    package struct Summary: Sendable {
        package var header: BackupHeader
        /// Rows by table.
        package var rows: [String: Int64]
        /// Keys the restored state refers to that the key manager does not have.
        package var missingKeys: [String] = []
    }

    private let config: ServerConfig
    private let plugins: ServerPlugins
    private let log: LogSystem
    private let time: any TimeSource
    private let random: any RandomSource

    package init(
        config: ServerConfig, log: LogSystem, time: any TimeSource, random: any RandomSource
    ) throws {
        self.config = config
        self.plugins = try config.resolvedPlugins()
        self.log = log
        self.time = time
        self.random = random
    }

    // MARK: Taking

    /// Writes a backup to a new file. The server may run and be written to meanwhile.
    ///
    /// - Parameter passphrase: Encrypts the file and lets private keys be in it. Without, there are only references to
    ///   keys, and the file's checksums guard against accidents but not against somebody who alters it.
    /// - Throws: `backup.refused`, `io`, and what the datastore throws.
    package func create(at path: String, passphrase: Secret<[UInt8]>?) async throws -> Summary {
        var settings = plugins.datastore
        // Reading must not upgrade a database under a server that runs.
        settings.migrationIsDisabled = true
        guard try !opening(settings).isMissing else {
            throw BackupFailure.refused("there is no database at \(settings.connectionString) yet")
        }
        let datastore = try await opening(settings).open(time: time, random: random)
        do {
            let summary = try await create(at: path, of: datastore, passphrase)
            await datastore.close()
            return summary
        } catch {
            await datastore.close()
            throw error
        }
    }

    private func create(
        at path: String, of datastore: SQLDatastore, _ passphrase: Secret<[UInt8]>?
    ) async throws -> Summary {
        let schema = try await datastore.schemaVersion()
        guard schema == Schema.version else {
            throw BackupFailure.refused(
                "the database has schema \(schema) and this program \(Schema.version); start the server once to upgrade it")
        }
        for _ in 0..<Self.attempts {
            let before = try keyFile()
            let header = try header(keyFile: before, passphrase)
            let rows: [String: Int64]? = try await datastore.dump { pour in
                let writer = try BackupWriter(path, header, passphrase: passphrase)
                let sink = BackupRowSink(writer)
                try pour(sink)
                // A key made between the two reads may be newer than the journal that was read, and have taken the
                // place of one the journal refers to.
                guard try Self.same(before, keyFile()) else { return nil }
                if header.holdsPrivateKeys, let before {
                    let text = before.reveal { String(decoding: $0, as: UTF8.self) }
                    try writer.line(.object(["key_file": .string(text)]))
                }
                try writer.line(.object(["end": .bool(true)]))
                try writer.finish()
                return sink.rows
            }
            if let rows { return Summary(header: header, rows: rows) }
        }
        throw BackupFailure.refused("the server makes new keys all the time; try again in a minute")
    }

    private static func same(_ a: Secret<[UInt8]>?, _ b: Secret<[UInt8]>?) -> Bool {
        a?.reveal { a in b?.reveal { a == $0 } ?? false } ?? (b == nil)
    }

    private func header(keyFile: Secret<[UInt8]>?, _ passphrase: Secret<[UInt8]>?) throws -> BackupHeader {
        BackupHeader(
            trustDomain: config.trustDomain.name, takenAt: Int64(time.now.timeIntervalSince1970),
            database: plugins.datastore.databaseType, schema: Schema.version, keyManager: plugins.keyManager.name,
            keys: try keyFile.map(Self.references) ?? [],
            holdsPrivateKeys: passphrase != nil && keyFile != nil,
            derivation: passphrase.map { _ in BackupHeader.Derivation(salt: random.bytes(32)) })
    }

    private func opening(_ settings: ServerPlugins.SQL) -> DatastoreOpening { DatastoreOpening(settings, log: log) }

    private var keysPath: String? {
        if case .disk(let path) = plugins.keyManager { path } else { nil }
    }

    private func keyFile() throws -> Secret<[UInt8]>? {
        try keysPath.flatMap { try AtomicFile.read($0, limit: Self.longestKeyFile) }.map { Secret($0) }
    }

    /// - Throws: `key_manager.file_malformed`.
    private static func references(_ file: Secret<[UInt8]>) throws -> [BackupHeader.KeyReference] {
        try file.reveal { try DiskKeyManager.publicKeys(of: $0) }.map { id, publicKey in
            BackupHeader.KeyReference(id: id, fingerprint: Hex.text(Array(SHA256.hash(data: publicKey))))
        }
    }

    // MARK: Checking

    /// Reads all of a backup and verifies every part of it.
    /// - Throws: `backup.damaged`, `backup.refused`, `io`.
    package static func verify(_ path: String, passphrase: Secret<[UInt8]>?) throws -> Summary {
        try check(path, passphrase).summary
    }

    private static func check(
        _ path: String, _ passphrase: Secret<[UInt8]>?
    ) throws -> (summary: Summary, keyFile: Secret<[UInt8]>?) {
        let content = try BackupContent(path, passphrase: passphrase)
        try content.finish()
        if let keyFile = content.keyFile {
            guard try references(keyFile) == content.header.keys else {
                throw BackupFailure.damaged("its keys are not those its header names")
            }
        }
        return (Summary(header: content.header, rows: content.rows), content.keyFile)
    }

    // MARK: Restoring

    /// Puts a backup in the place of the datastore and, where it holds them, of the keys. No server may run on them.
    ///
    /// The whole file is verified before anything is touched; the datastore changes in one transaction.
    /// - Parameter overwriting: Whether a datastore or key file that holds something may be overwritten.
    /// - Throws: `backup.refused`, `backup.damaged`, `io`, and what the datastore throws.
    package func restore(
        from path: String, passphrase: Secret<[UInt8]>?, overwriting: Bool
    ) async throws -> Summary {
        let checked = try Self.check(path, passphrase)
        var summary = checked.summary
        guard summary.header.trustDomain == config.trustDomain.name else {
            throw BackupFailure.refused(
                "the backup is of trust domain \(summary.header.trustDomain), the configuration of \(config.trustDomain)")
        }
        guard summary.header.schema == Schema.version else {
            throw BackupFailure.refused(
                "the backup has schema \(summary.header.schema) and this program \(Schema.version)")
        }
        if checked.keyFile != nil, keysPath == nil {
            throw BackupFailure.refused(
                "the backup holds the keys of KeyManager \"disk\", and the configuration has \"\(plugins.keyManager.name)\"")
        }
        let present = try keyFile()
        if let keyFile = checked.keyFile, present != nil, !Self.same(present, keyFile), !overwriting {
            throw BackupFailure.refused(
                "\(keysPath ?? "") holds other keys than the backup; -force overwrites them")
        }
        try SocketFolder.make(config.dataDir, mode: 0o755)
        let datastore = try await opening(plugins.datastore).open(time: time, random: random)
        do {
            if !overwriting, try await !datastore.isEmpty() {
                throw BackupFailure.refused(
                    "the datastore at \(plugins.datastore.connectionString) is not empty; -force overwrites it")
            }
            // The keys first: a state without its keys would make a server begin new authorities.
            if let keyFile = checked.keyFile, let keysPath { try keyFile.reveal { try AtomicFile.write($0, to: keysPath) } }
            try await datastore.load(takenAt: summary.header.takenAt) { try BackupContent(path, passphrase: passphrase) }
        } catch {
            await datastore.close()
            throw error
        }
        await datastore.close()
        let held = Set(try keyFile().map(Self.references) ?? [])
        summary.missingKeys = summary.header.keys.filter { !held.contains($0) }.map(\.id)
        return summary
    }
}
