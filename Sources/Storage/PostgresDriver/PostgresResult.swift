// SPDX-License-Identifier: Apache-2.0

import CPostgres
import SQLDatastore

/// The answer to one statement. To be cleared once; the values are in the server's binary form.
struct PostgresResult {
    private let pq: LibPQ
    private let pointer: OpaquePointer
    /// What the server refused, if it did.
    let failure: SQLFailure?

    init(_ pq: LibPQ, _ pointer: OpaquePointer) {
        self.pq = pq
        self.pointer = pointer
        switch pq.call.PQresultStatus(pointer) {
        case Int32(SPIRE_PQ_COMMAND_OK), Int32(SPIRE_PQ_TUPLES_OK): failure = nil
        case Int32(SPIRE_PQ_PIPELINE_ABORTED): failure = SQLFailure(.other, "pq: an earlier statement failed")
        default: failure = PostgresFailure.failure(of: pointer, pq)
        }
    }

    func clear() { pq.call.PQclear(pointer) }

    var rows: Int32 { failure == nil ? pq.call.PQntuples(pointer) : 0 }

    /// How many rows an INSERT, UPDATE or DELETE changed.
    var changed: Int {
        guard failure == nil, let text = pq.call.PQcmdTuples(pointer) else { return 0 }
        return Int(String(cString: text)) ?? 0
    }

    func isNull(_ row: Int32, _ column: Int) -> Bool { pq.call.PQgetisnull(pointer, row, Int32(column)) != 0 }

    /// Valid until `clear`.
    func bytes(_ row: Int32, _ column: Int) -> UnsafeRawBufferPointer {
        guard let base = pq.call.PQgetvalue(pointer, row, Int32(column)) else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        return UnsafeRawBufferPointer(start: base, count: Int(pq.call.PQgetlength(pointer, row, Int32(column))))
    }
}

/// One row of a result.
struct PostgresRow: SQLRow {
    private let result: PostgresResult
    private let row: Int32

    init(_ result: PostgresResult, _ row: Int32) {
        self.result = result
        self.row = row
    }

    func isNull(_ column: Int) -> Bool { result.isNull(row, column) }

    /// Of a signed number of 2, 4 or 8 bytes, most significant first.
    func integer(_ column: Int) -> Int64 {
        let bytes = result.bytes(row, column)
        guard let first = bytes.first, bytes.count <= 8 else { return 0 }
        return bytes.reduce(Int64(Int8(bitPattern: first) < 0 ? -1 : 0)) { $0 << 8 | Int64($1) }
    }

    func bool(_ column: Int) -> Bool { result.bytes(row, column).first.map { $0 != 0 } ?? false }

    func text(_ column: Int) -> String { String(decoding: result.bytes(row, column), as: UTF8.self) }

    func text(_ column: Int, unless same: String) -> String {
        let bytes = result.bytes(row, column)
        return same.utf8.elementsEqual(bytes) ? same : String(decoding: bytes, as: UTF8.self)
    }

    func blob(_ column: Int) -> [UInt8] { [UInt8](result.bytes(row, column)) }

    func bytes(_ column: Int) -> UnsafeBufferPointer<UInt8> { result.bytes(row, column).assumingMemoryBound(to: UInt8.self) }

    /// Times are microseconds since 2000.
    func time(_ column: Int) -> Int64? {
        guard !isNull(column), result.bytes(row, column).count == 8 else { return nil }
        let micros = integer(column)
        let seconds = micros >= 0 ? micros / 1_000_000 : (micros + 1) / 1_000_000 - 1
        return seconds + PostgresParameters.epoch
    }
}

/// Values of a statement's parameters, in one piece of memory. Their types are for the server to infer.
struct PostgresParameters {
    /// Unix seconds of 2000-01-01.
    static let epoch: Int64 = 946_684_800

    private var storage: [UInt8] = []
    /// Where each begins; `nil` for null.
    private var starts: [Int?] = []
    private var lengths: [Int32] = []
    private var formats: [Int32] = []

    init(_ values: [SQLValue]) {
        starts.reserveCapacity(values.count)
        for value in values {
            switch value {
            case .null:
                starts.append(nil)
                lengths.append(0)
                formats.append(0)
            case .integer(let number): add(terminated: String(number))
            case .bool(let flag): add(terminated: flag ? "t" : "f")
            // Binary, so that the length counts and not a zero byte in the middle, which the server refuses.
            case .text(let text): add(binary: text.utf8)
            case .blob(let bytes): add(binary: bytes)
            case .time(let time):
                let seconds = min(max(time.seconds, -62_135_596_800), 253_402_300_799)
                let micros = (seconds - Self.epoch) * 1_000_000 + Int64(time.nanoseconds / 1000)
                add(binary: (0..<8).map { UInt8(truncatingIfNeeded: micros >> (56 - 8 * Int64($0))) })
            }
        }
    }

    private mutating func add(terminated text: String) {
        starts.append(storage.count)
        storage += text.utf8
        storage.append(0)
        lengths.append(0)
        formats.append(0)
    }

    private mutating func add(binary bytes: some Collection<UInt8>) {
        starts.append(storage.count)
        lengths.append(Int32(clamping: bytes.count))
        storage += bytes
        // Empty values have an address as well.
        storage.append(0)
        formats.append(1)
    }

    func withPointers<Result>(
        _ body: (UnsafePointer<UnsafePointer<CChar>?>?, UnsafePointer<Int32>?, UnsafePointer<Int32>?) -> Result
    ) -> Result {
        storage.withUnsafeBufferPointer { buffer in
            let pointers: [UnsafePointer<CChar>?] = starts.map { start in
                guard let start, let base = buffer.baseAddress else { return nil }
                return UnsafeRawPointer(base + start).assumingMemoryBound(to: CChar.self)
            }
            return pointers.withUnsafeBufferPointer { body($0.baseAddress, lengths, formats) }
        }
    }
}
