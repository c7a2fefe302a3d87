// SPDX-License-Identifier: Apache-2.0

import CPostgres
import SQLDatastore

/// What has to be known about the text of statements.
enum PostgresText {
    /// `?` becomes `$1`, `$2`, … outside of quotes.
    static func numbered(_ sql: String) -> String {
        var out: [UInt8] = []
        out.reserveCapacity(sql.utf8.count + 32)
        var count = 0
        var quote: UInt8?
        for byte in sql.utf8 {
            if let open = quote {
                if byte == open { quote = nil }
            } else if byte == UInt8(ascii: "'") || byte == UInt8(ascii: "\"") {
                quote = byte
            } else if byte == UInt8(ascii: "?") {
                count += 1
                out.append(UInt8(ascii: "$"))
                out += String(count).utf8
                continue
            }
            out.append(byte)
        }
        return String(decoding: out, as: UTF8.self)
    }

    static func changes(_ sql: String) -> Bool {
        sql.hasPrefix("INSERT") || sql.hasPrefix("UPDATE") || sql.hasPrefix("DELETE")
    }
}

/// Sorts the server's refusals. Texts begin as the original's driver begins them.
enum PostgresFailure {
    static func failure(of result: OpaquePointer, _ pq: LibPQ) -> SQLFailure {
        let state = pq.call.PQresultErrorField(result, Int32(SPIRE_PQ_DIAG_SQLSTATE)).map { String(cString: $0) } ?? ""
        let message = pq.call.PQresultErrorField(result, Int32(SPIRE_PQ_DIAG_MESSAGE)).map { String(cString: $0) }
        return SQLFailure(kind(state), "pq: " + (message ?? trimmed(pq.call.PQresultErrorMessage(result))))
    }

    /// > Source: PostgreSQL documentation, appendix "Error Codes".
    static func kind(_ state: String) -> SQLFailure.Kind {
        switch state {
        // Serialization failure, deadlock, lock not to be had; a statement or its plan that no longer holds.
        case "40001", "40P01", "55P03", "26000", "0A000": .retryable
        // A standby or read-only session, shutdowns, starting up, ended idle sessions.
        case "25006", "57P01", "57P02", "57P03", "57P05", "25P03", "25P04": .lost
        case _ where state.hasPrefix("23"): .constraint
        case _ where state.hasPrefix("08"): .lost
        default: .other
        }
    }

    /// Failing to connect is worth another try unless the server answered and did not like us.
    static func connecting(_ text: String) -> SQLFailure {
        let refusals = [
            "authentication failed", "does not exist", "no pg_hba.conf entry", "no password supplied",
            "certificate verify failed", "does not match host name", "server does not support SSL", "invalid sslmode",
            "invalid connection option", "root certificate file", "could not load", "permission denied for database",
        ]
        return SQLFailure(refusals.contains(where: text.contains) ? .unusable : .lost, "pq: " + text)
    }

    /// The library's text in one line.
    static func trimmed(_ text: UnsafePointer<CChar>?) -> String {
        guard let text else { return "" }
        return String(cString: text).split(separator: "\n").map { $0.trimmingSpaces() }.joined(separator: "; ")
    }
}

extension Substring {
    fileprivate func trimmingSpaces() -> Substring {
        var rest = self
        while let first = rest.first, first.isWhitespace { rest.removeFirst() }
        while let last = rest.last, last.isWhitespace { rest.removeLast() }
        return rest
    }
}
