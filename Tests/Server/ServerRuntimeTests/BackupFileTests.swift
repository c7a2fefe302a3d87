// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Groundwork
import SPIFFE
import SQLDatastore
import Testing

@testable import ServerRuntime

/// The file format: what is written is read back, and nothing that was altered is.
@Suite struct BackupFileTests {
    static let secret = Secret(Array("correct horse battery".utf8))

    private final class Folder {
        let path: String
        init() throws {
            path = FileManager.default.temporaryDirectory.path + "/backup-\(UInt64.random(in: 0...(.max)))"
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        }
        deinit { try? FileManager.default.removeItem(atPath: path) }
    }

    private func header(encrypted: Bool, keys: Bool = false) -> BackupHeader {
        BackupHeader(
            trustDomain: "example.org", takenAt: 1_700_000_000, database: "sqlite3", schema: Schema.version,
            keyManager: "disk", keys: keys ? [.init(id: "k", fingerprint: "ff")] : [], holdsPrivateKeys: keys,
            // A cost for tests: the file says which was used.
            derivation: encrypted ? .init(salt: [UInt8](repeating: 7, count: 32), cost: 1 << 10) : nil)
    }

    private static let tokens = ["a", "b\u{1}\u{2028}", "", "ünï\ncode"]

    private func write(_ path: String, encrypted: Bool, rows: Int = 4, keys: Bool = false) throws {
        let writer = try BackupWriter(
            path, header(encrypted: encrypted, keys: keys), passphrase: encrypted ? Self.secret : nil)
        let sink = BackupRowSink(writer)
        let table = try #require(StoredTable.named("join_tokens"))
        try sink.take(.table(table))
        for row in 0..<rows {
            try sink.take(
                .row([
                    .integer(Int64(row)), .time(5), .null, .text(Self.tokens[row % 4]), .integer(.max),
                ]))
        }
        try sink.take(.end(rows: Int64(rows)))
        let bundles = try #require(StoredTable.named("bundles"))
        try sink.take(.table(bundles))
        try sink.take(.row([.integer(1), .null, .null, .text("spiffe://example.org"), .bytes([0, 1, 255])]))
        try sink.take(.end(rows: 1))
        if keys { try writer.line(.object(["key_file": .string("{\"keys\":{}}")])) }
        try writer.line(.object(["end": .bool(true)]))
        try writer.finish()
    }

    private func read(_ path: String, _ secret: Secret<[UInt8]>? = nil) throws -> [StoredRecord] {
        let content = try BackupContent(path, passphrase: secret)
        var records: [StoredRecord] = []
        while let record = try content.next() { records.append(record) }
        return records
    }

    private func bytes(_ path: String) throws -> [UInt8] { try #require(try AtomicFile.read(path)) }

    @Test("what was written is read back, of many parts, in the clear and encrypted", arguments: [false, true])
    func roundTrip(encrypted: Bool) throws {
        let folder = try Folder()
        let path = folder.path + "/b"
        // More than one part of the file.
        try write(path, encrypted: encrypted, rows: 9000)
        #expect(try bytes(path).count > BackupWriter.chunk)
        let records = try read(path, encrypted ? Self.secret : nil)
        #expect(records.count == 9000 + 5)
        #expect(records[2] == .row([.integer(1), .time(5), .null, .text(Self.tokens[1]), .integer(.max)]))
        #expect(records[9003] == .row([.integer(1), .null, .null, .text("spiffe://example.org"), .bytes([0, 1, 255])]))
        let clear = String(decoding: try bytes(path), as: UTF8.self)
        #expect(clear.contains("join_tokens") == !encrypted)
        let mode = try #require(try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions])
        #expect("\(mode)" == "\(0o600)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["b"])
    }

    @Test("a file is never written over, and an abandoned one leaves nothing")
    func overwriting() throws {
        let folder = try Folder()
        let path = folder.path + "/b"
        try write(path, encrypted: false)
        let before = try bytes(path)
        #expect(throws: SpireError(.backupRefused, "")) { try write(path, encrypted: false) }
        #expect(try bytes(path) == before)
        do {
            let writer = try BackupWriter(folder.path + "/c", header(encrypted: false), passphrase: nil)
            try writer.line(.object([:]))
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["b"])
    }

    @Test("every single bit that is changed is found, and every byte that is missing or added", arguments: [false, true])
    func tampering(encrypted: Bool) throws {
        let folder = try Folder()
        let path = folder.path + "/b"
        try write(path, encrypted: encrypted, keys: encrypted)
        let original = try bytes(path)
        let secret = encrypted ? Self.secret : nil
        let copy = folder.path + "/copy"
        for place in original.indices {
            var altered = original
            altered[place] ^= UInt8(1 << (place % 8))
            try AtomicFile.write(altered, to: copy)
            #expect(throws: SpireError.self, "byte \(place)") { try read(copy, secret) }
        }
        for length in stride(from: 0, to: original.count, by: 7) {
            try AtomicFile.write(Array(original[..<length]), to: copy)
            #expect(throws: SpireError.self, "length \(length)") { try read(copy, secret) }
        }
        try AtomicFile.write(original + [0], to: copy)
        #expect(throws: SpireError.self) { try read(copy, secret) }
    }

    @Test("parts cannot be left out, repeated or moved")
    func parts() throws {
        let folder = try Folder()
        let path = folder.path + "/b"
        try write(path, encrypted: true, rows: 20_000)
        let original = try bytes(path)
        let headerEnd = BackupHeader.magic.count + 4 + Int(original[BackupHeader.magic.count + 2]) * 256
            + Int(original[BackupHeader.magic.count + 3])
        var parts: [[UInt8]] = []
        var place = headerEnd
        while place < original.count {
            let length = original[place + 1..<place + 5].reduce(0) { $0 << 8 | Int($1) }
            parts.append(Array(original[place..<place + 5 + length]))
            place += 5 + length
        }
        #expect(parts.count >= 3)
        let head = Array(original[..<headerEnd])
        let copy = folder.path + "/copy"
        for arrangement in [
            Array(parts.dropFirst()), [parts[0]] + parts, Array(parts.dropLast()), [parts[1], parts[0]] + parts.dropFirst(2),
            [parts[parts.count - 1]],
        ] {
            try AtomicFile.write(head + arrangement.joined(), to: copy)
            #expect(throws: SpireError(.backupDamaged, "")) { try read(copy, Self.secret) }
        }
        try AtomicFile.write(head + parts.joined(), to: copy)
        #expect(try read(copy, Self.secret).count == 20_005)
    }

    @Test("a passphrase is needed, must be the right one, and must not be short")
    func passphrases() throws {
        let folder = try Folder()
        let path = folder.path + "/b"
        try write(path, encrypted: true)
        #expect(throws: SpireError(.backupRefused, "")) { try read(path) }
        let wrong = #expect(throws: SpireError.self) { try read(path, Secret(Array("another passphrase".utf8))) }
        #expect(wrong?.message.contains("the passphrase is another") == true)
        #expect(throws: SpireError(.backupRefused, "")) { try read(path, Secret(Array("short".utf8))) }
    }

    @Test(
        "a header cannot make us take memory or time without bound, or accept keys in the clear",
        arguments: [
            ("\"n\":1024", "\"n\":1073741824"), ("\"n\":1024", "\"n\":1025"), ("\"n\":1024", "\"n\":-1024"),
            ("\"r\":8", "\"r\":800000"), ("\"p\":1", "\"p\":100000"), ("AES-256-GCM", "AES-256-ECB"),
            ("scrypt", "md5"), ("\"schema\":", "\"scheme\":"), ("\"keys\":[]", "\"keys\":5"),
        ])
    func hostileHeader(old: String, new: String) throws {
        let folder = try Folder()
        let path = folder.path + "/b"
        try write(path, encrypted: true)
        let original = try bytes(path)
        let start = BackupHeader.magic.count
        let length = original[start..<start + 4].reduce(0) { $0 << 8 | Int($1) }
        let json = String(decoding: original[start + 4..<start + 4 + length], as: UTF8.self)
        #expect(json.contains(old))
        let forged = Array(json.replacing(old, with: new).utf8)
        let count = (0..<4).map { UInt8(truncatingIfNeeded: forged.count >> (24 - 8 * $0)) }
        try AtomicFile.write(Array(original[..<start]) + count + forged + original[(start + 4 + length)...], to: path)
        #expect(throws: SpireError(.backupDamaged, "")) { try read(path, Self.secret) }
    }

    @Test("rows that do not fit their table, unknown tables and a missing end are refused")
    func content() throws {
        let folder = try Folder()
        let columns = try #require(StoredTable.named("join_tokens")).columns
        let table: JSONValue = .object([
            "table": .string("join_tokens"), "columns": .array(columns.map { .string($0) }),
        ])
        let row: JSONValue = .array([.integer(1), .null, .null, .string("t"), .integer(1)])
        let end: JSONValue = .object(["end": .bool(true)])
        let hostile: [[JSONValue]] = [
            [], [table], [table, row, end], [row, end], [table, .object(["rows": .integer(1)]), end],
            [table, .array([.integer(1)]), .object(["rows": .integer(1)]), end],
            [table, .array([.integer(1), .null, .null, .integer(5), .integer(1)]), .object(["rows": .integer(1)]), end],
            [.object(["table": .string("migrations"), "columns": .array([])]), .object(["rows": .integer(0)]), end],
            [.object(["table": .string("join_tokens"), "columns": .array([.string("id")])]), .object(["rows": .integer(0)]), end],
            [table, .object(["rows": .integer(0)]), table, .object(["rows": .integer(0)]), end],
            [.object(["key_file": .string("{}")]), end], [.object(["what": .bool(true)]), end], [.bool(true), end],
            [end, end],
        ]
        for (number, lines) in hostile.enumerated() {
            let path = folder.path + "/h\(number)"
            let writer = try BackupWriter(path, header(encrypted: false), passphrase: nil)
            for line in lines { try writer.line(line) }
            try writer.finish()
            #expect(throws: SpireError(.backupDamaged, ""), "\(number)") { try read(path) }
        }
    }
}
