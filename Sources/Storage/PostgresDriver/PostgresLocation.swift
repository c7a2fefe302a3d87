// SPDX-License-Identifier: Apache-2.0

import Groundwork
import SQLDatastore

/// A connection string of the original's PostgreSQL driver (lib/pq), in the terms of libpq.
///
/// The two understand the same forms, `key=value …` and `postgres://…`, and most keys; where they differ, the original's
/// meaning holds: TLS is required unless said otherwise, the default host is `localhost`, and keys that are not
/// connection parameters are settings of the session.
package struct PostgresLocation: Sendable {
    /// Keys and values for libpq, each key once.
    package private(set) var parameters: [String: String] = [:]

    /// - Parameters:
    ///   - text: The connection string.
    ///   - mustBeWritable: Of several hosts only one that takes writes will do.
    ///   - environment: Looks up an environment variable; libpq reads `PGHOST` and others itself.
    /// - Throws: `invalid_argument` that never holds the string itself, which may hold a password.
    package init(
        _ text: String, mustBeWritable: Bool = true, environment: (String) -> String? = { _ in nil }
    ) throws {
        if text.isEmpty { throw Self.problem("connection_string must be set") }
        var given: [(key: String, value: String)]
        if let rest = ["postgres://", "postgresql://"].first(where: text.hasPrefix).map({ text.dropFirst($0.count) }) {
            given = try Self.parse(url: rest)
        } else {
            given = try Self.parse(pairs: text)
        }
        var settings: [String] = []
        for (key, value) in given {
            switch key {
            case "sslinline" where value == "true":
                throw Self.problem("connection_string: sslinline is not supported; put the certificates into files")
            case "client_encoding":
                let plain = value.uppercased().filter { $0 != "-" && $0 != "\"" }
                guard plain == "UTF8" else { throw Self.problem("client_encoding must be absent or 'UTF8'") }
            case "datestyle":
                guard value == "ISO, MDY" else { throw Self.problem("setting datestyle must be absent or \"ISO, MDY\"") }
            case _ where Self.driverOnly.contains(key): continue
            case _ where Self.known.contains(key): parameters[key] = value
            default:
                guard Self.isName(key) else {
                    // Named only if it looks like a name: in a string of another form it holds the password.
                    let isWord = key.utf8.count <= 40 && Self.isName(key.filter { $0 != "-" })
                    throw Self.problem("connection_string: \(isWord ? "\"\(key)\"" : "what stands before a \"=\"") is not a parameter")
                }
                settings.append("-c \(key)=\(Self.escaped(value))")
            }
        }
        if !settings.isEmpty {
            parameters["options"] = ([parameters["options"]].compactMap(\.self) + settings).joined(separator: " ")
        }
        addDefaults(mustBeWritable, environment)
    }

    private mutating func addDefaults(_ mustBeWritable: Bool, _ environment: (String) -> String?) {
        func add(_ key: String, _ value: String, unless variable: String? = nil) {
            if parameters[key] == nil, variable.flatMap(environment) == nil { parameters[key] = value }
        }
        let hasService = parameters["service"] != nil || environment("PGSERVICE") != nil
        if !hasService {
            if parameters["hostaddr"] == nil, environment("PGHOSTADDR") == nil { add("host", "localhost", unless: "PGHOST") }
            add("sslmode", "require", unless: "PGSSLMODE")
        }
        add("gssencmode", "disable", unless: "PGGSSENCMODE")
        add("fallback_application_name", "spire-server")
        add("connect_timeout", "5", unless: "PGCONNECT_TIMEOUT")
        // A server that is gone without a word is noticed within a quarter of a minute, not after hours.
        add("keepalives_idle", "10")
        add("keepalives_interval", "2")
        add("keepalives_count", "3")
        add("tcp_user_timeout", "15000")
        let hosts = parameters["host"] ?? parameters["hostaddr"] ?? environment("PGHOST") ?? ""
        if mustBeWritable, hosts.contains(",") { add("target_session_attrs", "read-write", unless: "PGTARGETSESSIONATTRS") }
        parameters["client_encoding"] = "UTF8"
    }

    /// Parameters of the original's driver that say how it speaks the protocol.
    private static let driverOnly: Set<String> = [
        "binary_parameters", "disable_prepared_binary_result", "krbspn", "sslinline",
    ]

    /// > Source: PostgreSQL documentation, "Parameter Key Words".
    private static let known: Set<String> = [
        "host", "hostaddr", "port", "dbname", "user", "password", "passfile", "require_auth", "channel_binding",
        "connect_timeout", "options", "application_name", "fallback_application_name", "keepalives", "keepalives_idle",
        "keepalives_interval", "keepalives_count", "tcp_user_timeout", "gssencmode", "sslmode", "requiressl",
        "sslnegotiation", "sslcompression", "sslcert", "sslkey", "sslpassword", "sslcertmode", "sslrootcert", "sslcrl",
        "sslcrldir", "sslsni", "requirepeer", "ssl_min_protocol_version", "ssl_max_protocol_version", "krbsrvname",
        "gsslib", "gssdelegation", "service", "target_session_attrs", "load_balance_hosts",
    ]

    private static func isName(_ key: String) -> Bool {
        !key.isEmpty
            && key.utf8.allSatisfy {
                ($0 | 0x20 >= 97 && $0 | 0x20 <= 122) || ($0 >= 48 && $0 <= 57) || $0 == 95 || $0 == 46
            }
    }

    private static func escaped(_ value: String) -> String {
        var out = ""
        for character in value {
            if character == " " || character == "\\" || character == "\t" || character == "\n" { out.append("\\") }
            out.append(character)
        }
        return out
    }

    private static func problem(_ text: String) -> SpireError { SpireError(.invalid, "datastore-sql: " + text) }

    // MARK: Forms

    /// `key = value`, values perhaps in single quotes, a backslash before what is to be taken as it is.
    private static func parse(pairs text: String) throws -> [(key: String, value: String)] {
        var found: [(key: String, value: String)] = []
        var rest = text.unicodeScalars[...]
        func skipSpaces() { while let next = rest.first, next.properties.isWhitespace { rest.removeFirst() } }
        while true {
            skipSpaces()
            if rest.isEmpty { return found }
            var key = String.UnicodeScalarView()
            while let next = rest.first, next != "=", !next.properties.isWhitespace { key.append(rest.removeFirst()) }
            skipSpaces()
            guard rest.first == "=" else {
                // Its place and not the word: after a space in a password it is the rest of that.
                let place = text.unicodeScalars.count - rest.count
                throw problem("connection_string: missing \"=\" after the first \(place) characters")
            }
            rest.removeFirst()
            skipSpaces()
            let isQuoted = rest.first == "'"
            if isQuoted { rest.removeFirst() }
            var value = String.UnicodeScalarView()
            var isClosed = !isQuoted
            while let next = rest.popFirst() {
                if next == "\\" {
                    guard let escaped = rest.popFirst() else { throw problem("missing character after backslash") }
                    value.append(escaped)
                } else if isQuoted, next == "'" {
                    isClosed = true
                    break
                } else if !isQuoted, next.properties.isWhitespace {
                    break
                } else {
                    value.append(next)
                }
            }
            guard isClosed else { throw problem("unterminated quoted string literal in connection string") }
            found.append((String(key), String(value)))
        }
    }

    /// What follows `postgres://`: `user:password@host:port,host:port/dbname?key=value&…`.
    private static func parse(url text: Substring) throws -> [(key: String, value: String)] {
        var found: [(key: String, value: String)] = []
        var rest = text
        var query: Substring = ""
        if let mark = rest.firstIndex(of: "?") {
            query = rest[rest.index(after: mark)...]
            rest = rest[..<mark]
        }
        if let slash = rest.firstIndex(of: "/") {
            let name = rest[rest.index(after: slash)...]
            if !name.isEmpty { found.append(("dbname", try decoded(name))) }
            rest = rest[..<slash]
        }
        if let at = rest.lastIndex(of: "@") {
            let login = rest[..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            if let user = login.first, !user.isEmpty { found.append(("user", try decoded(user))) }
            if login.count > 1 { found.append(("password", try decoded(login[1]))) }
            rest = rest[rest.index(after: at)...]
        }
        var hosts: [String] = []
        var ports: [String] = []
        for place in rest.split(separator: ",") {
            var host = place
            var port: Substring = ""
            if place.hasPrefix("["), let end = place.firstIndex(of: "]") {
                host = place[place.index(after: place.startIndex)..<end]
                port = place[place.index(after: end)...]
                guard port.isEmpty || port.hasPrefix(":") else { throw problem("connection_string: invalid host") }
                port = port.dropFirst()
            } else if let colon = place.lastIndex(of: ":") {
                host = place[..<colon]
                port = place[place.index(after: colon)...]
            }
            guard port.utf8.allSatisfy({ $0 >= 48 && $0 <= 57 }) else { throw problem("connection_string: invalid port") }
            hosts.append(try decoded(host))
            ports.append(String(port))
        }
        if hosts.contains(where: { !$0.isEmpty }) { found.append(("host", hosts.joined(separator: ","))) }
        if ports.contains(where: { !$0.isEmpty }) { found.append(("port", ports.joined(separator: ","))) }
        for pair in query.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            found.append((try decoded(parts[0]), parts.count > 1 ? try decoded(parts[1], isQuery: true) : ""))
        }
        return found
    }

    private static func decoded(_ text: Substring, isQuery: Bool = false) throws -> String {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "+"), isQuery {
                bytes.append(UInt8(ascii: " "))
            } else if byte == UInt8(ascii: "%") {
                guard let high = rest.popFirst(), let low = rest.popFirst(),
                    let value = UInt8(String(decoding: [high, low], as: UTF8.self), radix: 16)
                else { throw problem("connection_string: invalid URL escape") }
                bytes.append(value)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
