// SPDX-License-Identifier: Apache-2.0

import CPostgres
import Groundwork
import SQLDatastore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Hears, on a connection of its own, what other servers announce when they commit changes to entries or nodes.
final class PostgresListener: ChangeListener {
    static let channel = "swift_spire_changes"

    private let location: PostgresLocation
    private let origin: String
    private let lane = BlockingLane("datastore.listen", width: 1)

    /// - Parameter origin: What our own announcements carry; they are not heard.
    init(_ location: PostgresLocation, origin: String) {
        self.location = location
        self.origin = origin
    }

    func listen(_ heard: @escaping @Sendable (String?) -> Void) async throws {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw SQLFailure(.unusable, "pipe: no file descriptors left") }
        let (stop, stopper) = (ends[0], ends[1])
        defer {
            close(stop)
            close(stopper)
        }
        try await withTaskCancellationHandler {
            try await lane.run { [self] in try wait(until: stop, heard) }
        } onCancel: {
            var byte: UInt8 = 0
            write(stopper, &byte, 1)
        }
        try Task.checkCancellation()
    }

    private func wait(until stop: Int32, _ heard: @Sendable (String?) -> Void) throws {
        let pq = try LibPQ.load()
        let handle = try PostgresConnection.connect(pq, location)
        defer { pq.call.PQfinish(handle) }
        try run("LISTEN " + Self.channel, handle, pq)
        heard(nil)
        while true {
            var waiting = [
                pollfd(fd: pq.call.PQsocket(handle), events: Int16(POLLIN), revents: 0),
                pollfd(fd: stop, events: Int16(POLLIN), revents: 0),
            ]
            if poll(&waiting, 2, -1) < 0 {
                if errno == EINTR { continue }
                throw SQLFailure(.lost, "poll: \(String(cString: strerror(errno)))")
            }
            if waiting[1].revents != 0 { return }
            guard pq.call.PQconsumeInput(handle) == 1 else {
                throw SQLFailure(.lost, "pq: " + PostgresFailure.trimmed(pq.call.PQerrorMessage(handle)))
            }
            var isNews = false
            while let notification = pq.call.PQnotifies(handle) {
                let isOwn = notification.pointee.extra.map { String(cString: $0) == origin } ?? false
                if !isOwn { isNews = true }
                pq.call.PQfreemem(notification)
            }
            if isNews { heard(try run("SELECT pg_current_wal_insert_lsn()", handle, pq)) }
        }
    }

    @discardableResult
    private func run(_ sql: String, _ handle: OpaquePointer, _ pq: LibPQ) throws -> String? {
        guard let result = pq.call.PQexec(handle, sql) else { throw SQLFailure(.lost, "pq: out of memory") }
        defer { pq.call.PQclear(result) }
        switch pq.call.PQresultStatus(result) {
        case Int32(SPIRE_PQ_COMMAND_OK): return nil
        case Int32(SPIRE_PQ_TUPLES_OK): return pq.call.PQgetvalue(result, 0, 0).map { String(cString: $0) }
        default: throw PostgresFailure.failure(of: result, pq)
        }
    }
}
