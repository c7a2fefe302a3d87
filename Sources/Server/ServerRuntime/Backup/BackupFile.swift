// SPDX-License-Identifier: Apache-2.0

import Groundwork
import SPIFFE

// The file, as Documentation/Backup.md describes it: a line that names the format, the header's length and JSON, then
// chunks of (1 byte: 1 for the last, 4 bytes: length, sealed bytes). Numbers are big-endian. What the chunks hold is
// one text of lines.

/// Writes lines into a backup.
final class BackupWriter {
    /// Bytes of text in a chunk.
    static let chunk = 256 << 10

    private let disk: BackupDiskWriter
    private var seal: BackupSeal
    private var buffer: [UInt8] = []

    init(_ path: String, _ header: BackupHeader, passphrase: Secret<[UInt8]>?) throws {
        let json = header.json.text()
        guard json.count <= BackupHeader.longest else { throw BackupFailure.refused("there are too many keys to list") }
        seal = try BackupSeal(header, headerBytes: json, passphrase: passphrase)
        disk = try BackupDiskWriter(path)
        try disk.write(BackupHeader.magic + Self.number(json.count) + json)
    }

    func line(_ value: JSONValue) throws {
        buffer += value.text()
        buffer.append(UInt8(ascii: "\n"))
        while buffer.count > Self.chunk {
            try write(Array(buffer.prefix(Self.chunk)), isLast: false)
            buffer.removeFirst(Self.chunk)
        }
    }

    func finish() throws {
        try write(buffer, isLast: true)
        buffer = []
        try disk.finish()
    }

    private func write(_ data: [UInt8], isLast: Bool) throws {
        let sealed = try seal.seal(data, isLast: isLast)
        try disk.write([isLast ? 1 : 0] + Self.number(sealed.count))
        try disk.write(sealed)
    }

    private static func number(_ number: Int) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: number >> (24 - 8 * $0)) }
    }
}

/// Reads lines out of a backup. Every chunk is verified before any of it is used.
final class BackupReader {
    /// Of one line, in bytes: a trust bundle is one.
    private static let longestLine = 64 << 20

    let header: BackupHeader
    private let disk: BackupDiskReader
    private var seal: BackupSeal
    private var pending: [UInt8] = []
    private var start = 0
    private var isComplete = false

    /// - Throws: `io`, `backup.damaged`, `backup.refused` when a passphrase is needed.
    init(_ path: String, passphrase: Secret<[UInt8]>?) throws {
        disk = try BackupDiskReader(path)
        guard try disk.read(BackupHeader.magic.count) == BackupHeader.magic else {
            throw BackupFailure.damaged("it is not a backup of this format")
        }
        let length = try Self.number(disk)
        guard length <= BackupHeader.longest else { throw BackupFailure.damaged("its header is too long") }
        let bytes = try disk.read(length)
        guard bytes.count == length, let json = try? JSONValue.parse(bytes, maximumLength: BackupHeader.longest) else {
            throw BackupFailure.damaged("its header cannot be read")
        }
        header = try BackupHeader(json: json)
        seal = try BackupSeal(header, headerBytes: bytes, passphrase: passphrase)
    }

    /// - Returns: `nil` at the end of a complete file.
    func line() throws -> JSONValue? {
        while true {
            if let end = pending[start...].firstIndex(of: UInt8(ascii: "\n")) {
                let text = Array(pending[start..<end])
                start = end + 1
                do {
                    return try JSONValue.parse(text, maximumLength: Self.longestLine)
                } catch {
                    throw BackupFailure.damaged("a line cannot be read: \(error)")
                }
            }
            if isComplete {
                guard start == pending.count else { throw BackupFailure.damaged("its last line is cut short") }
                return nil
            }
            guard pending.count - start <= Self.longestLine else { throw BackupFailure.damaged("a line is too long") }
            pending.removeFirst(start)
            start = 0
            pending += try chunk()
        }
    }

    private func chunk() throws -> [UInt8] {
        guard let mark = try disk.read(1).first, mark <= 1 else { throw BackupFailure.damaged("it is cut short") }
        let length = try Self.number(disk)
        guard length <= BackupWriter.chunk + BackupSeal.overhead else {
            throw BackupFailure.damaged("a part is too long")
        }
        let sealed = try disk.read(length)
        guard sealed.count == length else { throw BackupFailure.damaged("it is cut short") }
        let data = try seal.open(sealed, isLast: mark == 1)
        if mark == 1 {
            guard try disk.read(1).isEmpty else { throw BackupFailure.damaged("something follows its end") }
            isComplete = true
        }
        return data
    }

    private static func number(_ disk: BackupDiskReader) throws -> Int {
        let bytes = try disk.read(4)
        guard bytes.count == 4 else { throw BackupFailure.damaged("it is cut short") }
        return bytes.reduce(0) { $0 << 8 | Int($1) }
    }
}
