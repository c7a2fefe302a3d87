// SPDX-License-Identifier: Apache-2.0

import CMySQL
import SQLDatastore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A prepared statement; while its rows are read it is also the current row. Columns are read as text, which is exact for
/// every type of the schema.
final class MySQLStatement: SQLRow {
    private let library: LibMariaDB
    private(set) var handle: OpaquePointer?
    var lastUse: UInt64 = 0
    var isTransient = false
    private(set) var isRunning = false

    private let parameterCount: Int
    private let columnCount: Int
    private let columns: MySQLColumns?

    init(_ library: LibMariaDB, _ connection: OpaquePointer, _ sql: String) throws {
        self.library = library
        guard let made = library.call.mysql_stmt_init(connection) else { throw SQLFailure(.other, "out of memory") }
        guard library.call.mysql_stmt_prepare(made, sql, UInt(sql.utf8.count)) == 0 else {
            let failure = MySQLFailure.failure(ofStatement: made, library)
            _ = library.call.mysql_stmt_close(made)
            throw failure
        }
        handle = made
        parameterCount = Int(library.call.mysql_stmt_param_count(made))
        columnCount = Int(library.call.mysql_stmt_field_count(made))
        columns = columnCount > 0 ? MySQLColumns(columnCount) : nil
    }

    deinit { close() }

    func close() {
        guard let handle else { return }
        self.handle = nil
        _ = library.call.mysql_stmt_close(handle)
    }

    func execute(_ values: [SQLValue]) throws {
        guard let handle else { throw SQLFailure(.lost, "the connection is closed") }
        guard values.count == parameterCount else {
            throw SQLFailure(.other, "the statement takes \(parameterCount) values, not \(values.count)")
        }
        let parameters = MySQLParameters(values)
        if !values.isEmpty, library.call.mysql_stmt_bind_param(handle, parameters.binds) != 0 { throw failure }
        guard library.call.mysql_stmt_execute(handle) == 0 else { throw failure }
        withExtendedLifetime(parameters) {}
        guard let columns else { return }
        isRunning = true
        guard library.call.mysql_stmt_bind_result(handle, columns.binds) == 0,
            library.call.mysql_stmt_store_result(handle) == 0
        else { throw failure }
    }

    /// Goes to the next row.
    func fetch() throws -> Bool {
        guard let handle, let columns else { return false }
        switch library.call.mysql_stmt_fetch(handle) {
        case 0: return true
        case Int32(SPIRE_MYSQL_NO_DATA): return false
        case Int32(SPIRE_MYSQL_DATA_TRUNCATED):
            for column in 0..<columnCount where columns.grow(column) {
                guard
                    library.call.mysql_stmt_fetch_column(handle, columns.binds + column, UInt32(column), 0) == 0
                else { throw failure }
            }
            // The larger buffers serve the rows that follow as well.
            guard library.call.mysql_stmt_bind_result(handle, columns.binds) == 0 else { throw failure }
            return true
        default: throw failure
        }
    }

    func freeResult() {
        isRunning = false
        guard let handle else { return }
        _ = library.call.mysql_stmt_free_result(handle)
        if isTransient { close() }
    }

    private var failure: SQLFailure {
        guard let handle else { return SQLFailure(.lost, "the connection is closed") }
        return MySQLFailure.failure(ofStatement: handle, library)
    }

    // MARK: The current row

    func bytes(_ column: Int) -> UnsafeBufferPointer<UInt8> {
        columns?.bytes(column).assumingMemoryBound(to: UInt8.self) ?? UnsafeBufferPointer(start: nil, count: 0)
    }

    func isNull(_ column: Int) -> Bool { columns?.isNull(column) ?? true }

    func integer(_ column: Int) -> Int64 {
        var value: Int64 = 0
        var isNegative = false
        for (index, byte) in bytes(column).enumerated() {
            if index == 0, byte == UInt8(ascii: "-") {
                isNegative = true
                continue
            }
            guard byte >= 48, byte <= 57 else { return 0 }
            let (ten, overflowed) = value.multipliedReportingOverflow(by: 10)
            let (sum, overflowedToo) = ten.addingReportingOverflow(Int64(byte - 48))
            if overflowed || overflowedToo { return isNegative ? .min : .max }
            value = sum
        }
        return isNegative ? -value : value
    }

    func bool(_ column: Int) -> Bool { integer(column) != 0 }
    func text(_ column: Int) -> String { String(decoding: bytes(column), as: UTF8.self) }

    func text(_ column: Int, unless same: String) -> String {
        let bytes = bytes(column)
        return same.utf8.elementsEqual(bytes) ? same : String(decoding: bytes, as: UTF8.self)
    }

    func blob(_ column: Int) -> [UInt8] { [UInt8](bytes(column)) }

    func time(_ column: Int) -> Int64? { isNull(column) ? nil : CalendarTime.seconds(UnsafeRawBufferPointer(bytes(column))) }
}

/// Buffers that columns are fetched into.
private final class MySQLColumns {
    let binds: UnsafeMutablePointer<spire_mysql_bind>
    private let lengths: UnsafeMutablePointer<UInt>
    private let nulls: UnsafeMutablePointer<CChar>
    private let count: Int

    /// Holds any text of the schema, at three bytes a character.
    private static let usualSize = 768

    init(_ count: Int) {
        self.count = count
        binds = .allocate(capacity: count)
        lengths = .allocate(capacity: count)
        nulls = .allocate(capacity: count)
        binds.initialize(repeating: spire_mysql_bind(), count: count)
        lengths.initialize(repeating: 0, count: count)
        nulls.initialize(repeating: 0, count: count)
        for column in 0..<count {
            binds[column].buffer_type = Int32(SPIRE_MYSQL_TYPE_STRING)
            binds[column].buffer = malloc(Self.usualSize)
            binds[column].buffer_length = UInt(Self.usualSize)
            binds[column].length = lengths + column
            binds[column].is_null = nulls + column
        }
    }

    deinit {
        for column in 0..<count { free(binds[column].buffer) }
        binds.deallocate()
        lengths.deallocate()
        nulls.deallocate()
    }

    func isNull(_ column: Int) -> Bool { column >= count || nulls[column] != 0 }

    func bytes(_ column: Int) -> UnsafeRawBufferPointer {
        guard !isNull(column), let base = binds[column].buffer else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        return UnsafeRawBufferPointer(start: base, count: Int(min(lengths[column], binds[column].buffer_length)))
    }

    /// Makes room for a value that did not fit. - Returns: whether it did not.
    func grow(_ column: Int) -> Bool {
        guard !isNull(column), lengths[column] > binds[column].buffer_length else { return false }
        free(binds[column].buffer)
        binds[column].buffer = malloc(Int(lengths[column]))
        binds[column].buffer_length = lengths[column]
        return true
    }
}

/// Values of a statement's parameters, alive while it is executed.
private final class MySQLParameters {
    let binds: UnsafeMutablePointer<spire_mysql_bind>
    private let lengths: UnsafeMutablePointer<UInt>
    private let count: Int

    init(_ values: [SQLValue]) {
        count = values.count
        binds = .allocate(capacity: max(1, count))
        lengths = .allocate(capacity: max(1, count))
        binds.initialize(repeating: spire_mysql_bind(), count: max(1, count))
        lengths.initialize(repeating: 0, count: max(1, count))
        for (index, value) in values.enumerated() {
            switch value {
            case .null: binds[index].buffer_type = Int32(SPIRE_MYSQL_TYPE_NULL)
            case .integer(let number): set(index, SPIRE_MYSQL_TYPE_LONGLONG, number)
            case .bool(let flag): set(index, SPIRE_MYSQL_TYPE_TINY, Int8(flag ? 1 : 0))
            case .text(let text): set(index, SPIRE_MYSQL_TYPE_STRING, bytes: text.utf8)
            case .blob(let bytes): set(index, SPIRE_MYSQL_TYPE_BLOB, bytes: bytes)
            case .time(let time): set(index, SPIRE_MYSQL_TYPE_DATETIME, Self.time(time))
            }
        }
    }

    deinit {
        for index in 0..<count { free(binds[index].buffer) }
        binds.deallocate()
        lengths.deallocate()
    }

    private func set<Value>(_ index: Int, _ type: Int, _ value: Value) {
        let memory = UnsafeMutablePointer<Value>(
            OpaquePointer(malloc(MemoryLayout<Value>.size)))
        memory?.initialize(to: value)
        binds[index].buffer_type = Int32(type)
        binds[index].buffer = UnsafeMutableRawPointer(memory)
        binds[index].buffer_length = UInt(MemoryLayout<Value>.size)
    }

    private func set(_ index: Int, _ type: Int, bytes: some Collection<UInt8>) {
        let memory = malloc(max(1, bytes.count))
        UnsafeMutableRawBufferPointer(start: memory, count: bytes.count).copyBytes(from: bytes)
        lengths[index] = UInt(bytes.count)
        binds[index].buffer_type = Int32(type)
        binds[index].buffer = memory
        binds[index].buffer_length = UInt(bytes.count)
        binds[index].length = lengths + index
    }

    /// Columns keep whole seconds; so that nothing is rounded up, no fraction is sent.
    private static func time(_ time: SQLTime) -> spire_mysql_time {
        let parts = CalendarTime.parts(time.seconds)
        return spire_mysql_time(
            year: UInt32(parts.year), month: UInt32(parts.month), day: UInt32(parts.day), hour: UInt32(parts.hour),
            minute: UInt32(parts.minute), second: UInt32(parts.second), second_part: 0, negative: 0, time_type: 0)
    }
}
