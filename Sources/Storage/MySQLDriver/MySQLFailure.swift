// SPDX-License-Identifier: Apache-2.0

import CMySQL
import SQLDatastore

/// Sorts the server's and the client library's refusals. Texts are those of the original's driver.
enum MySQLFailure {
    static func failure(of handle: OpaquePointer, _ library: LibMariaDB) -> SQLFailure {
        make(
            library.call.mysql_errno(handle), library.call.mysql_sqlstate(handle), library.call.mysql_error(handle))
    }

    static func failure(ofStatement handle: OpaquePointer, _ library: LibMariaDB) -> SQLFailure {
        make(
            library.call.mysql_stmt_errno(handle), library.call.mysql_stmt_sqlstate(handle),
            library.call.mysql_stmt_error(handle))
    }

    /// Failing to connect is worth another try unless the server answered and did not like us.
    static func connecting(_ handle: OpaquePointer, _ library: LibMariaDB) -> SQLFailure {
        var failure = failure(of: handle, library)
        switch library.call.mysql_errno(handle) {
        // Access denied (user, database, host), unknown database, authentication plugins, TLS.
        case 1044, 1045, 1049, 1130, 1227, 1251, 1524, 1698, 2026, 2058, 2059, 2061: failure.kind = .unusable
        default: failure.kind = .lost
        }
        return failure
    }

    private static func make(
        _ number: UInt32, _ state: UnsafePointer<CChar>?, _ text: UnsafePointer<CChar>?
    ) -> SQLFailure {
        let state = state.map { String(cString: $0) } ?? ""
        let text = text.map { String(cString: $0) } ?? ""
        // Numbers from 2000 are the library's own.
        let isServers = number < 2000 || number >= 3000
        let message = isServers ? "Error \(number) (\(state)): \(text)" : text
        return SQLFailure(kind(number), message)
    }

    /// > Source: MariaDB documentation, "MariaDB Error Codes".
    static func kind(_ number: UInt32) -> SQLFailure.Kind {
        switch number {
        // Duplicate entry; duplicate under an unknown key; value too long is the statement's own fault.
        case 1062, 1586: .constraint
        // Deadlock, lock wait timeout, a node that does not yet take part in its cluster, Galera's conflicts.
        case 1213, 1205, 1047, 1020: .retryable
        // A statement the server has forgotten, or has to prepare again.
        case 1243, 1615: .lost
        // --read-only, read-only transaction mode, offline mode.
        case 1290, 1792, 1836, 3032: .lost
        // Shutdown, killed connection, aborted connection, too many connections, interrupted.
        case 1053, 1927, 1040, 1152, 1158, 1159, 1160, 1161, 1317, 4031: .lost
        // The library: cannot connect, gone away, lost during query, lost at reading, out of sync.
        case 2002, 2003, 2005, 2006, 2013, 2014, 2055: .lost
        default: .other
        }
    }
}
