// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Groundwork
import SPIFFE
import SQLDatastore

/// Writes rows as lines: an object that begins a table, a list for each row, an object that ends it.
final class BackupRowSink: StoredSink {
    private let writer: BackupWriter
    private(set) var rows: [String: Int64] = [:]
    private var table = ""

    init(_ writer: BackupWriter) { self.writer = writer }

    func take(_ record: StoredRecord) throws {
        switch record {
        case .table(let table):
            self.table = table.name
            try writer.line(
                .object(["table": .string(table.name), "columns": .array(table.columns.map { .string($0) })]))
        case .row(let values): try writer.line(.array(values.map(Self.json)))
        case .end(let count):
            rows[table] = count
            try writer.line(.object(["rows": .integer(count)]))
        }
    }

    private static func json(_ value: StoredValue) -> JSONValue {
        switch value {
        case .null: .null
        case .integer(let number), .time(let number): .integer(number)
        case .bool(let flag): .bool(flag)
        case .text(let text): .string(text)
        case .bytes(let bytes): .string(Data(bytes).base64EncodedString())
        }
    }
}

/// Reads what a backup holds: the rows of tables, then perhaps the key file, then the line that ends it.
final class BackupContent: StoredSource {
    private let reader: BackupReader
    private var table: StoredTable?
    private var count: Int64 = 0
    private(set) var rows: [String: Int64] = [:]
    /// SPIRE's `keys.json`, once all tables have been read.
    private(set) var keyFile: Secret<[UInt8]>?

    var header: BackupHeader { reader.header }

    init(_ path: String, passphrase: Secret<[UInt8]>?) throws {
        reader = try BackupReader(path, passphrase: passphrase)
    }

    func next() throws -> StoredRecord? {
        guard let line = try reader.line() else { throw BackupFailure.damaged("it has no end") }
        if let values = line.array { return .row(try row(values)) }
        guard let object = line.object else { throw BackupFailure.damaged("a line is neither a list nor an object") }
        if let name = object["table"]?.string {
            guard table == nil else { throw BackupFailure.damaged("a table has no end") }
            let found = try Self.table(name, object["columns"]?.array?.compactMap(\.string) ?? [])
            guard rows[name] == nil else { throw BackupFailure.damaged("the table \(name) is there twice") }
            (table, count) = (found, 0)
            return .table(found)
        }
        if let expected = object["rows"]?.integer, let table {
            guard expected == count else { throw BackupFailure.damaged("rows of \(table.name) are missing") }
            rows[table.name] = count
            self.table = nil
            return .end(rows: count)
        }
        guard table == nil else { throw BackupFailure.damaged("a table has no end") }
        if let text = object["key_file"]?.string {
            guard keyFile == nil, header.isEncrypted else { throw BackupFailure.damaged("keys are where none belong") }
            keyFile = Secret(Array(text.utf8))
            return try next()
        }
        guard object["end"]?.bool == true else { throw BackupFailure.damaged("a line says nothing that is known") }
        guard try reader.line() == nil else { throw BackupFailure.damaged("something follows its end") }
        guard header.holdsPrivateKeys == (keyFile != nil) else { throw BackupFailure.damaged("its keys are missing") }
        return nil
    }

    /// Reads all of it.
    func finish() throws { while try next() != nil {} }

    private static func table(_ name: String, _ columns: [String]) throws -> StoredTable {
        guard let known = StoredTable.named(name) else {
            throw BackupFailure.damaged("it holds a table \"\(name)\", which this program does not know")
        }
        guard columns == known.columns else {
            throw BackupFailure.damaged("its table \(name) has other columns than this program's")
        }
        return known
    }

    private func row(_ values: [JSONValue]) throws -> [StoredValue] {
        guard let table else { throw BackupFailure.damaged("a row is outside a table") }
        guard values.count == table.kinds.count else {
            throw BackupFailure.damaged("a row of \(table.name) has another number of columns")
        }
        count += 1
        return try zip(values, table.kinds).enumerated().map { place, pair in
            guard let value = Self.value(pair.0, pair.1) else {
                throw BackupFailure.damaged("\(table.name).\(table.columns[place]) holds another kind of value")
            }
            return value
        }
    }

    private static func value(_ json: JSONValue, _ kind: StoredKind) -> StoredValue? {
        if json == .null { return .null }
        return switch kind {
        case .integer: json.integer.map { .integer($0) }
        case .time: json.integer.map { .time($0) }
        case .bool: json.bool.map { .bool($0) }
        case .text: json.string.map { .text($0) }
        case .bytes: json.string.flatMap { Data(base64Encoded: $0) }.map { .bytes([UInt8]($0)) }
        }
    }
}
