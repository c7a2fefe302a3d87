// SPDX-License-Identifier: Apache-2.0

import APIProtos
import CLISupport
import Groundwork
import NIOPosix
import RPC
import ServerRuntime
import Telemetry
import Wire

/// Where a backup's passphrase comes from.
struct PassphraseFlags {
    private let file: Flag<String>

    init(_ flags: FlagSet) {
        file = flags.string(
            "passphraseFile", "",
            "Path to a file whose first line is the passphrase (env \(Backup.passphraseVariable)). At least 12 bytes")
    }

    /// - Returns: `nil` when there is none.
    /// - Throws: `CommandFailure` for a file that cannot be read or has nothing in its first line.
    func passphrase(_ console: Console) throws -> Secret<[UInt8]>? {
        if file.value.isEmpty {
            let text = console.environment[Backup.passphraseVariable] ?? ""
            return text.isEmpty ? nil : Secret(Array(text.utf8))
        }
        let bytes = try InputFile.read(file.value)
        let line = Array(bytes.prefix { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") })
        guard !line.isEmpty else { throw CommandFailure("the first line of \(file.value) is empty") }
        return Secret(line)
    }
}

struct BackupCreate: Command {
    static let name = "backup create"
    static let synopsis = "Writes the server's state to a file; the server may run meanwhile"
    private let file: ServerFileFlags
    private let out: Flag<String>
    private let passphrase: PassphraseFlags
    private let output: Flag<OutputFormat>

    init(_ flags: FlagSet) {
        file = ServerFileFlags(flags)
        out = flags.string("out", "", "Path of the file to write. There must be none of that name")
        passphrase = PassphraseFlags(flags)
        output = flags.output()
    }

    func run(_ console: Console) async throws {
        guard !out.value.isEmpty else { throw CommandFailure("a file to write is required; see -out") }
        let passphrase = try passphrase.passphrase(console)
        let backup = try BackupText.backup(file, console)
        let summary = try await backup.create(at: out.value, passphrase: passphrase)
        BackupText.show(console, output.value, summary, "Wrote the backup \(out.value)")
        if passphrase == nil, !summary.header.keys.isEmpty {
            console.err(
                "The backup refers to \(summary.header.keys.count) keys and does not hold them; with a passphrase it would\n")
        }
    }
}

struct BackupVerify: Command {
    static let name = "backup verify"
    static let synopsis = "Reads all of a backup and checks every part of it"
    private let file: Flag<String>
    private let passphrase: PassphraseFlags
    private let output: Flag<OutputFormat>

    init(_ flags: FlagSet) {
        file = flags.string("in", "", "Path of the backup")
        passphrase = PassphraseFlags(flags)
        output = flags.output()
    }

    func run(_ console: Console) async throws {
        guard !file.value.isEmpty else { throw CommandFailure("a backup is required; see -in") }
        let summary = try Backup.verify(file.value, passphrase: try passphrase.passphrase(console))
        BackupText.show(console, output.value, summary, "The backup \(file.value) is sound")
    }
}

struct BackupRestore: Command {
    static let name = "backup restore"
    static let synopsis = "Puts a backup in the place of the server's state; no server may run"
    private let file: ServerFileFlags
    private let backupFile: Flag<String>
    private let passphrase: PassphraseFlags
    private let force: Flag<Bool>
    private let output: Flag<OutputFormat>

    init(_ flags: FlagSet) {
        file = ServerFileFlags(flags)
        backupFile = flags.string("in", "", "Path of the backup")
        passphrase = PassphraseFlags(flags)
        force = flags.bool("force", "Overwrite a datastore that is not empty and a key file that holds other keys")
        output = flags.output()
    }

    func run(_ console: Console) async throws {
        guard !backupFile.value.isEmpty else { throw CommandFailure("a backup is required; see -in") }
        let passphrase = try passphrase.passphrase(console)
        let config = try file.load(console)
        guard await !Self.answers(config.socketPath) else {
            throw CommandFailure("a server runs on \(config.socketPath); stop every server of this datastore first")
        }
        let summary = try await BackupText.backup(config).restore(
            from: backupFile.value, passphrase: passphrase, overwriting: force.value)
        BackupText.show(console, output.value, summary, "Restored the backup \(backupFile.value)")
        if !summary.missingKeys.isEmpty {
            console.err(
                "The key manager lacks \(summary.missingKeys.joined(separator: ", ")); the server will begin new authorities "
                    + "in their place\n")
        }
    }

    private static func answers(_ socketPath: String) async -> Bool {
        let client = Channels.unix(path: socketPath, group: MultiThreadedEventLoopGroup.singleton)
        let answered: Bool
        do {
            _ = try await client.unary(HealthMethods.check, .init())
            answered = true
        } catch let status as RPCStatus {
            answered = status.code != .unavailable
        } catch {
            answered = false
        }
        await client.close()
        return answered
    }
}

enum BackupText {
    static func backup(_ file: ServerFileFlags, _ console: Console) throws -> Backup {
        try backup(try file.load(console))
    }

    static func backup(_ config: ServerConfig) throws -> Backup {
        var settings = config.log
        settings.level = .error
        settings.file = ""
        return try Backup(
            config: config, log: LogSystem(settings, descriptor: 2), time: SystemTime(), random: SystemRandom())
    }

    static func show(_ console: Console, _ format: OutputFormat, _ summary: Backup.Summary, _ title: String) {
        let header = summary.header
        let counts: [(String, String)] = [
            ("entries", "registered_entries"), ("agents", "attested_node_entries"), ("bundles", "bundles"),
            ("join tokens", "join_tokens"), ("federation relationships", "federated_trust_domains"),
            ("authority journals", "ca_journals"),
        ]
        let json: JSONNode = .object([
            "trust_domain": .string(header.trustDomain), "taken_at": .int64(header.takenAt),
            "version": .string(header.version), "database": .string(header.database), "schema": .int(header.schema),
            "key_manager": .string(header.keyManager), "encrypted": .bool(header.isEncrypted),
            "holds_private_keys": .bool(header.holdsPrivateKeys),
            "keys": .array(
                header.keys.map {
                    .object(["id": .string($0.id), "public_key_sha256": .string($0.fingerprint)])
                }),
            "rows": .object(summary.rows.mapValues { .int($0) }), "missing_keys": .strings(summary.missingKeys),
        ])
        console.show(format, json: json) {
            var text = title + "\n"
            func line(_ label: String, _ value: String) {
                text += "  " + label + String(repeating: " ", count: max(0, 24 - label.count)) + ": " + value.harmless + "\n"
            }
            line("Trust domain", header.trustDomain)
            line("Taken at", GoText.time(header.takenAt, utc: true))
            line("Encrypted", header.isEncrypted ? "yes" : "no")
            line("Private keys", header.holdsPrivateKeys ? "\(header.keys.count)" : "none")
            for (label, table) in counts {
                line(label.prefix(1).uppercased() + label.dropFirst(), "\(summary.rows[table] ?? 0)")
            }
            console.out(text)
        }
    }
}
