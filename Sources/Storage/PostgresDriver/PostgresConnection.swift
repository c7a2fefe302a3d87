// SPDX-License-Identifier: Apache-2.0

import CPostgres
import SQLDatastore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// One libpq connection in pipeline mode with its prepared statements: BEGIN travels with the transaction's first
/// statement, ROLLBACK is not waited for, so that reading once costs one round trip.
///
/// Unchecked because the library's handle is a raw pointer: the pool gives a connection to one thread at a time.
final class PostgresConnection: SQLConnection, @unchecked Sendable {
    private enum Transaction { case none, announced, begun }

    private let pq: LibPQ
    private var handle: OpaquePointer?
    private let trace: (@Sendable (String) -> Void)?
    private var transaction = Transaction.none
    private var kind = SQLTransactionKind.read
    private var mayAnnounce = true
    private var announces = false
    private let announcement: String

    private var names: [String: (name: String, lastUse: UInt64)] = [:]
    private var clock: UInt64 = 0
    /// Pipeline ends whose results have not been looked at.
    private var unread = 0

    private(set) var changeCount: Int64 = 0
    private var countAtBegin: Int64 = 0
    private(set) var commitTicket: String?

    private static let statementLimit = 256

    /// - Parameters:
    ///   - origin: Marks our own announcements, letters and digits.
    init(
        _ location: PostgresLocation, origin: String, trace: (@Sendable (String) -> Void)? = nil
    ) throws {
        pq = try LibPQ.load()
        handle = try PostgresConnection.connect(pq, location)
        self.trace = trace
        announcement = "NOTIFY \(PostgresListener.channel), '\(origin)'"
        guard pq.call.PQenterPipelineMode(handle) == 1 else {
            close()
            throw SQLFailure(.unusable, "pq: the client library has no pipeline mode")
        }
    }

    /// Connects; the caller ends the connection.
    static func connect(_ pq: LibPQ, _ location: PostgresLocation) throws -> OpaquePointer {
        let pairs = location.parameters.sorted { $0.key < $1.key }
        let texts = pairs.map { strdup($0.key) } + pairs.map { strdup($0.value) }
        defer { for text in texts { free(text) } }
        let keys: [UnsafePointer<CChar>?] = texts.prefix(pairs.count).map { UnsafePointer($0) } + [nil]
        let values: [UnsafePointer<CChar>?] = texts.suffix(pairs.count).map { UnsafePointer($0) } + [nil]
        guard let handle = pq.call.PQconnectdbParams(keys, values, 0) else {
            throw SQLFailure(.unusable, "pq: out of memory")
        }
        if pq.call.PQstatus(handle) == Int32(SPIRE_PQ_CONNECTION_OK) { return handle }
        let text = PostgresFailure.trimmed(pq.call.PQerrorMessage(handle))
        pq.call.PQfinish(handle)
        throw PostgresFailure.connecting(text)
    }

    deinit { close() }

    func close() {
        guard let handle else { return }
        self.handle = nil
        transaction = .none
        pq.call.PQfinish(handle)
    }

    /// As the server reports it, such as `15.4`.
    var serverVersion: String {
        guard let handle, let text = pq.call.PQparameterStatus(handle, "server_version") else { return "" }
        return String(cString: text)
    }

    // MARK: Transactions

    func begin(_ kind: SQLTransactionKind) throws {
        guard transaction == .none else { throw SQLFailure(.other, "pq: there is a transaction already in progress") }
        self.kind = kind
        transaction = .announced
        announces = false
        commitTicket = nil
        countAtBegin = changeCount
    }

    func commit() throws {
        let was = transaction
        guard was == .begun else {
            transaction = .none
            return
        }
        if isAborted { throw SQLFailure(.other, "pq: current transaction is aborted") }
        let hasChanged = changeCount != countAtBegin
        do {
            let announces = announces && mayAnnounce
            if announces {
                try send(plain: announcement)
            }
            try send(plain: "COMMIT")
            try sync()
            var failures: [SQLFailure?] = []
            for _ in 0..<(announces ? 2 : 1) {
                let result = try result()
                failures.append(result.failure)
                result.clear()
            }
            try endOfPipeline()
            if announces, let failure = failures[0] {
                // Announcing is a help, not a duty: its queue may be full. Once more without.
                mayAnnounce = false
                throw failure.kind == .other ? SQLFailure(.retryable, failure.message) : failure
            }
            if let failure = failures.last.flatMap(\.self) { throw failure }
            transaction = .none
        } catch let failure as SQLFailure where failure.kind == .lost && hasChanged && handle == nil {
            throw SQLFailure(.uncertain, failure.message)
        }
    }

    func rollback() {
        defer { transaction = .none }
        guard transaction == .begun, handle != nil else { return }
        do {
            try send(plain: "ROLLBACK")
            try sync()
            unread += 1
        } catch {
            close()
        }
    }

    var isInTransaction: Bool { transaction != .none && handle != nil }

    var isAborted: Bool {
        guard transaction == .begun, let handle else { return false }
        return pq.call.PQtransactionStatus(handle) == Int32(SPIRE_PQ_TRANS_INERROR)
    }

    func announceChange() { announces = true }

    /// More rows than this are serialized with everybody, so that few locks are held.
    private static let lockLimit = 8
    private static let gate = Int64(bitPattern: 0x7370_6972_6547_4154)

    func serialize(on keys: [UInt64]) throws {
        let keys = Set(keys).map { Int64(bitPattern: $0) }.sorted()
        if keys.isEmpty { return }
        if keys.count > Self.lockLimit {
            return try query("SELECT pg_advisory_xact_lock(?)", [.integer(Self.gate)]) { _ in }
        }
        let locks = [String](repeating: "pg_advisory_xact_lock(?)", count: keys.count).joined(separator: ", ")
        try query(
            "SELECT pg_advisory_xact_lock_shared(?), \(locks)", [.integer(Self.gate)] + keys.map { .integer($0) }
        ) { _ in }
    }

    // MARK: Asking about transactions and positions

    func outcome(of ticket: String) throws -> Bool? {
        var status = ""
        do {
            try query("SELECT txid_status(CAST(? AS bigint))", [.integer(Int64(ticket) ?? 0)]) { status = $0.text(0) }
        } catch let failure as SQLFailure where failure.kind == .other {
            // A server promoted in the meantime that never heard of the transaction.
            return false
        }
        return switch status {
        case "committed": true
        case "aborted": false
        default: nil
        }
    }

    func position() throws -> String? {
        var position: String?
        try query("SELECT CAST(pg_current_wal_insert_lsn() AS text)", []) { position = $0.text(0) }
        return position
    }

    func hasReached(_ position: String, within patience: Duration) throws -> Bool {
        let step: Duration = .milliseconds(2)
        var left = patience
        while true {
            var isReplica = false
            var hasReached = false
            try query("SELECT pg_is_in_recovery(), CAST(pg_last_wal_replay_lsn() AS text)", []) { row in
                // One that was promoted has a history of its own.
                isReplica = row.bool(0)
                hasReached = isReplica && Dialect.logPosition(row.text(1)) >= Dialect.logPosition(position)
            }
            if hasReached || !isReplica || left <= .zero { return hasReached }
            // The server has nothing to wait for a position with.
            try query("SELECT pg_sleep(0.002)", []) { _ in }
            left -= step
        }
    }

    // MARK: Statements

    @discardableResult
    func execute(_ sql: String, _ values: [SQLValue]) throws -> Int {
        let result = try run(sql, values)
        defer { result.clear() }
        return count(result)
    }

    func insert(_ sql: String, _ values: [SQLValue]) throws -> Int64 {
        let result = try run(sql + " RETURNING id", values)
        defer { result.clear() }
        count(result)
        guard result.rows == 1 else { throw SQLFailure(.other, "pq: an INSERT returned no id") }
        return PostgresRow(result, 0).integer(0)
    }

    func query(_ sql: String, _ values: [SQLValue], _ each: (any SQLRow) throws -> Void) throws {
        let result = try run(sql, values)
        defer { result.clear() }
        for row in 0..<result.rows { try each(PostgresRow(result, row)) }
    }

    func executeOnce(_ sql: String) throws {
        trace?(sql)
        try drain()
        let hasBegun = try sendBegin()
        try send(plain: sql)
        try sync()
        if hasBegun { try result().clear() }
        let answer = try result()
        let failure = answer.failure
        answer.clear()
        try endOfPipeline()
        if hasBegun { transaction = .begun }
        if let failure { throw failure }
    }

    @discardableResult
    private func count(_ result: PostgresResult) -> Int {
        let count = result.changed
        changeCount += Int64(count)
        return count
    }

    /// Sends what is needed in one go: BEGIN, the statement's preparation, the statement, and after the transaction's
    /// first change the question for the transaction's id.
    private func run(_ sql: String, _ values: [SQLValue]) throws -> PostgresResult {
        trace?(sql)
        try drain()
        clock += 1
        var before = 0
        let begins = try sendBegin()
        if begins { before += 1 }
        let name: String
        if let known = names[sql] {
            name = known.name
            names[sql]?.lastUse = clock
        } else {
            if names.count >= Self.statementLimit, let oldest = names.min(by: { $0.value.lastUse < $1.value.lastUse }) {
                names[oldest.key] = nil
                try send(plain: "DEALLOCATE \(oldest.value.name)")
                before += 1
            }
            name = "s\(clock)"
            guard let handle, pq.call.PQsendPrepare(handle, name, PostgresText.numbered(sql), 0, nil) == 1 else {
                throw broken()
            }
            before += 1
        }
        try send(prepared: name, values)
        let asksForTicket = kind == .write && transaction != .none && commitTicket == nil && PostgresText.changes(sql)
        if asksForTicket { try send(plain: "SELECT CAST(txid_current_if_assigned() AS text)") }
        try sync()

        var failure: SQLFailure?
        for _ in 0..<before {
            let result = try result()
            failure = failure ?? result.failure
            result.clear()
        }
        let answer = try result()
        failure = failure ?? answer.failure
        if asksForTicket {
            let ticket = try result()
            if ticket.failure == nil, ticket.rows == 1 {
                let row = PostgresRow(ticket, 0)
                commitTicket = row.isNull(0) ? nil : row.text(0)
            }
            ticket.clear()
        }
        try endOfPipeline()
        if begins { transaction = .begun }
        if let failure {
            answer.clear()
            // Another server has changed the schema, or a proxy given us another session.
            if failure.kind == .retryable { names = [:] }
            throw failure
        }
        names[sql] = (name, clock)
        return answer
    }

    // MARK: The pipeline

    /// - Returns: whether BEGIN was sent.
    private func sendBegin() throws -> Bool {
        guard transaction == .announced else { return false }
        let isolation = kind == .read ? "REPEATABLE READ READ ONLY" : "READ COMMITTED"
        try send(plain: "BEGIN ISOLATION LEVEL " + isolation)
        return true
    }

    private func send(plain sql: String) throws {
        guard let handle, pq.call.PQsendQueryParams(handle, sql, 0, nil, nil, nil, nil, 1) == 1 else { throw broken() }
    }

    private func send(prepared name: String, _ values: [SQLValue]) throws {
        let parameters = PostgresParameters(values)
        let sent = parameters.withPointers { pointers, lengths, formats in
            guard let handle else { return false }
            let count = Int32(values.count)
            return pq.call.PQsendQueryPrepared(handle, name, count, pointers, lengths, formats, 1) == 1
        }
        if !sent { throw broken() }
    }

    private func sync() throws {
        guard let handle, pq.call.PQpipelineSync(handle) == 1 else { throw broken() }
    }

    /// The next statement's result.
    /// - Throws: `lost` when there will be none.
    private func result() throws -> PostgresResult {
        guard let handle, let pointer = pq.call.PQgetResult(handle) else { throw broken() }
        let result = PostgresResult(pq, pointer)
        if pq.call.PQstatus(handle) != Int32(SPIRE_PQ_CONNECTION_OK) {
            let text = result.failure?.message
            result.clear()
            throw broken(text)
        }
        // Each statement's results end with nothing.
        while let more = pq.call.PQgetResult(handle) { pq.call.PQclear(more) }
        return result
    }

    private func endOfPipeline() throws {
        guard let handle, let pointer = pq.call.PQgetResult(handle) else { throw broken() }
        let isEnd = pq.call.PQresultStatus(pointer) == Int32(SPIRE_PQ_PIPELINE_SYNC)
        pq.call.PQclear(pointer)
        if !isEnd { throw broken() }
    }

    /// Looks at the answers to what was not waited for.
    private func drain() throws {
        while unread > 0 {
            unread -= 1
            try result().clear()
            try endOfPipeline()
        }
    }

    /// The connection is of no use any more.
    private func broken(_ text: String? = nil) -> SQLFailure {
        var text = text ?? ""
        if let handle, text.isEmpty { text = PostgresFailure.trimmed(pq.call.PQerrorMessage(handle)) }
        close()
        return SQLFailure(.lost, text.isEmpty ? "pq: the connection was lost" : text)
    }
}
