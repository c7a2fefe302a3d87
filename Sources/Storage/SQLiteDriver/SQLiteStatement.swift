// SPDX-License-Identifier: Apache-2.0

import CSQLite
import Groundwork
import SQLDatastore

/// A prepared statement; while it runs it is also its current row.
final class SQLiteStatement: SQLRow {
    private var compiled: OpaquePointer?
    var lastUse: UInt64 = 0
    var isTransient = false
    private(set) var isRunning = false

    init(_ compiled: OpaquePointer) { self.compiled = compiled }

    deinit { finalize() }

    func finalize() {
        sqlite3_finalize(compiled)
        compiled = nil
    }

    func step() -> Int32 {
        isRunning = true
        return sqlite3_step(compiled)
    }

    func reset() {
        sqlite3_reset(compiled)
        isRunning = false
        if isTransient { finalize() }
    }

    // MARK: Parameters

    /// - Returns: false when the number of values is not what the statement takes.
    func bind(_ values: [SQLValue]) -> Bool {
        guard sqlite3_bind_parameter_count(compiled) == Int32(values.count) else { return false }
        var position: Int32 = 0
        for value in values {
            position += 1
            let code =
                switch value {
                case .null: sqlite3_bind_null(compiled, position)
                case .integer(let number): sqlite3_bind_int64(compiled, position, number)
                case .bool(let flag): sqlite3_bind_int64(compiled, position, flag ? 1 : 0)
                case .text(let text): bind(text, position)
                case .blob(let bytes): bind(bytes, position)
                case .time(let time): bind(time, position)
                }
            if code != SQLITE_OK { return false }
        }
        return true
    }

    /// Tells the library to copy the bytes before the call returns.
    private static let copied = unsafeBitCast(-1, to: sqlite3_destructor_type.self)

    private func bind(_ text: String, _ position: Int32) -> Int32 {
        var text = text
        return text.withUTF8 { utf8 in
            guard let base = utf8.baseAddress else { return sqlite3_bind_text(compiled, position, "", 0, Self.copied) }
            return base.withMemoryRebound(to: CChar.self, capacity: utf8.count) {
                sqlite3_bind_text(compiled, position, $0, Int32(utf8.count), Self.copied)
            }
        }
    }

    private func bind(_ bytes: [UInt8], _ position: Int32) -> Int32 {
        if bytes.isEmpty { return sqlite3_bind_zeroblob(compiled, position, 0) }
        return bytes.withUnsafeBytes {
            sqlite3_bind_blob(compiled, position, $0.baseAddress, Int32($0.count), Self.copied)
        }
    }

    private func bind(_ time: SQLTime, _ position: Int32) -> Int32 {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: SQLiteTime.capacity) { buffer in
            let count = SQLiteTime.write(time, to: buffer)
            guard let base = buffer.baseAddress else { return SQLITE_NOMEM }
            return base.withMemoryRebound(to: CChar.self, capacity: count) {
                sqlite3_bind_text(compiled, position, $0, Int32(count), Self.copied)
            }
        }
    }

    // MARK: Columns

    func isNull(_ column: Int) -> Bool { sqlite3_column_type(compiled, Int32(column)) == SQLITE_NULL }
    func integer(_ column: Int) -> Int64 { sqlite3_column_int64(compiled, Int32(column)) }
    func bool(_ column: Int) -> Bool { sqlite3_column_int64(compiled, Int32(column)) != 0 }

    func bytes(_ column: Int) -> UnsafeBufferPointer<UInt8> {
        let base = sqlite3_column_text(compiled, Int32(column))
        return UnsafeBufferPointer(start: base, count: base == nil ? 0 : Int(sqlite3_column_bytes(compiled, Int32(column))))
    }

    func text(_ column: Int) -> String { String(decoding: bytes(column), as: UTF8.self) }

    func text(_ column: Int, unless same: String) -> String {
        let bytes = bytes(column)
        let isSame = same.utf8.withContiguousStorageIfAvailable { $0.isSame(as: bytes) }
        return isSame == true ? same : String(decoding: bytes, as: UTF8.self)
    }

    func blob(_ column: Int) -> [UInt8] {
        guard let base = sqlite3_column_blob(compiled, Int32(column)) else { return [] }
        return [UInt8](UnsafeRawBufferPointer(start: base, count: Int(sqlite3_column_bytes(compiled, Int32(column)))))
    }

    /// Rows that were made together have one time.
    private var lastTime: (text: [UInt8], seconds: Int64?) = ([], nil)

    private func seconds(_ text: UnsafeBufferPointer<UInt8>) -> Int64? {
        if lastTime.text.withUnsafeBufferPointer({ $0.isSame(as: text) }) { return lastTime.seconds }
        lastTime = (Array(text), SQLiteTime.seconds(text))
        return lastTime.seconds
    }

    func time(_ column: Int) -> Int64? {
        switch sqlite3_column_type(compiled, Int32(column)) {
        case SQLITE_INTEGER: integer(column)
        case SQLITE_TEXT: seconds(bytes(column))
        default: nil
        }
    }
}
