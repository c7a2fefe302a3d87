// SPDX-License-Identifier: Apache-2.0

import Groundwork

/// A connection string of the original's MySQL driver (go-sql-driver):
/// `[user[:password]@][net[(address)]]/dbname[?param=value&…]`.
package struct MySQLLocation: Sendable {
    package enum TLS: Sendable, Equatable {
        case off
        /// If the server offers it, without looking at its certificate.
        case preferred
        /// Without looking at the server's certificate.
        case unverified
        case verified
    }

    package struct Host: Sendable, Equatable {
        package var name: String
        package var port: UInt32
    }

    package private(set) var user = ""
    package private(set) var password = ""
    /// Tried in order. Empty for a socket.
    package private(set) var hosts: [Host] = []
    package private(set) var socket = ""
    package private(set) var database = ""
    package private(set) var tls = TLS.off
    /// Whole seconds; 0 means the default.
    package private(set) var connectTimeout: UInt32 = 0
    package private(set) var readTimeout: UInt32 = 0
    package private(set) var writeTimeout: UInt32 = 0
    package private(set) var collation = ""
    package private(set) var charset = "utf8mb4"
    package private(set) var allowsCleartextPasswords = false
    /// Settings of the session: name and value as SQL.
    package private(set) var settings: [(name: String, value: String)] = []

    /// - Parameter hasTLSFiles: Whether certificates are configured, which forces verified TLS.
    /// - Throws: `invalid_argument` that never holds the string itself, which may hold a password.
    package init(_ text: String, hasTLSFiles: Bool = false) throws {
        if text.isEmpty { throw Self.problem("connection_string must be set") }
        guard let slash = text.lastIndex(of: "/") else {
            throw Self.problem("invalid DSN: missing the slash separating the database name")
        }
        try parse(place: text[..<slash])
        var rest = text[text.index(after: slash)...]
        var parsesTime = false
        if let mark = rest.firstIndex(of: "?") {
            for pair in rest[rest.index(after: mark)...].split(separator: "&") {
                let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                guard parts.count == 2 else { continue }
                try set(String(parts[0]), String(parts[1]), &parsesTime)
            }
            rest = rest[..<mark]
        }
        database = try Self.decoded(rest)
        guard parsesTime else {
            throw Self.problem("invalid mysql config: missing parseTime=true param in connection_string")
        }
        if hasTLSFiles { tls = .verified }
    }

    private mutating func parse(place: Substring) throws {
        var rest = place
        if let at = rest.lastIndex(of: "@") {
            let login = rest[..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            user = login.first.map(String.init) ?? ""
            if login.count > 1 { password = String(login[1]) }
            rest = rest[rest.index(after: at)...]
        }
        var net = rest
        var address: Substring = ""
        if let open = rest.firstIndex(of: "(") {
            net = rest[..<open]
            guard rest.last == ")" else {
                // A ) that is followed by something else is an escape that was forgotten.
                throw Self.problem(
                    rest.contains(")")
                        ? "invalid DSN: did you forget to escape a param value?"
                        : "invalid DSN: network address not terminated (missing closing brace)")
            }
            address = rest[rest.index(after: open)...].dropLast()
        }
        switch net.isEmpty ? "tcp" : net {
        case "tcp":
            for one in (address.isEmpty ? "127.0.0.1" : address).split(separator: ",") { hosts.append(try Self.host(one)) }
        case "unix": socket = address.isEmpty ? "/tmp/mysql.sock" : String(address)
        default:
            // Without its `@`, or with one too few, it is the user and the password.
            guard Self.isWord(net) || net == "tcp4" || net == "tcp6" else {
                throw Self.problem("invalid DSN: what stands before the address is no network such as tcp or unix")
            }
            throw Self.problem("default addr for network '\(net)' unknown")
        }
    }

    private static func host(_ text: Substring) throws -> Host {
        var name = text
        var port: Substring = "3306"
        if text.hasPrefix("["), let end = text.firstIndex(of: "]") {
            name = text[text.index(after: text.startIndex)..<end]
            let after = text[text.index(after: end)...]
            if after.hasPrefix(":") { port = after.dropFirst() }
        } else if let colon = text.lastIndex(of: ":") {
            name = text[..<colon]
            port = text[text.index(after: colon)...]
        }
        guard let number = UInt16(port) else { throw problem("connection_string: invalid port") }
        return Host(name: name.isEmpty ? "127.0.0.1" : String(name), port: UInt32(number))
    }

    private mutating func set(_ name: String, _ raw: String, _ parsesTime: inout Bool) throws {
        switch name {
        case "parseTime": parsesTime = try Self.flag(name, raw)
        case "tls":
            let value = try Self.decoded(raw[...])
            switch value.lowercased() {
            case "true", "1": tls = .verified
            case "false", "0": tls = .off
            case "skip-verify": tls = .unverified
            case "preferred": tls = .preferred
            case _ where Self.isWord(value): throw Self.problem("invalid value / unknown config name: \(value)")
            default: throw Self.problem("connection_string: tls is none of true, false, skip-verify and preferred")
            }
        case "timeout": connectTimeout = try Self.seconds(name, raw)
        case "readTimeout": readTimeout = try Self.seconds(name, raw)
        case "writeTimeout": writeTimeout = try Self.seconds(name, raw)
        case "charset": charset = String(try Self.decoded(raw[...]).split(separator: ",").first ?? "utf8mb4")
        case "collation": collation = raw
        case "allowCleartextPasswords": allowsCleartextPasswords = try Self.flag(name, raw)
        case "loc":
            guard try Self.decoded(raw[...]) == "UTC" else {
                throw Self.problem("connection_string: loc must be UTC; in another zone times in the database would be misread")
            }
        case "serverPubKey":
            throw Self.problem("connection_string: serverPubKey is not supported; use TLS")
        case "compress", "multiStatements", "interpolateParams", "allowOldPasswords", "allowAllFiles",
            "allowFallbackToPlaintext", "allowNativePasswords", "checkConnLiveness", "clientFoundRows",
            "columnsWithAlias", "rejectReadOnly":
            // Ways in which the original's driver works; checked, and without meaning here.
            _ = try Self.flag(name, raw)
        case "maxAllowedPacket", "connectionAttributes", "timeTruncate": break
        default:
            func isName(_ text: String) -> Bool {
                !text.isEmpty && text.utf8.allSatisfy { ($0 | 0x20 >= 97 && $0 | 0x20 <= 122) || $0 == 95 || $0 == 46 }
            }
            guard isName(name) else {
                let place = Self.isWord(name) ? "\"\(name)\"" : "what stands before a \"=\""
                throw Self.problem("connection_string: \(place) is not a parameter")
            }
            let value = try Self.decoded(raw[...])
            guard !value.contains(";") else { throw Self.problem("connection_string: \(name) has no valid value") }
            settings.append((name, value))
        }
    }

    private static func flag(_ name: String, _ text: String) throws -> Bool {
        switch text {
        case "1", "true", "TRUE", "True": return true
        case "0", "false", "FALSE", "False": return false
        case _ where isWord(text): throw problem("invalid bool value: " + text)
        default: throw problem("connection_string: \(name) is neither true nor false")
        }
    }

    /// Whether a message may repeat a part that is wrong: in a string of another form it is, or holds, the password.
    private static func isWord(_ text: some StringProtocol) -> Bool {
        !text.isEmpty && text.utf8.count <= 40
            && text.utf8.allSatisfy { ($0 | 0x20 >= 97 && $0 | 0x20 <= 122) || $0 == 95 || $0 == 46 || $0 == 45 }
    }

    /// Of a duration such as `90s`, `1.5m` or `500ms`, rounded up.
    private static func seconds(_ name: String, _ text: String) throws -> UInt32 {
        let units: [(String, Double)] = [("ms", 0.001), ("us", 1e-6), ("ns", 1e-9), ("s", 1), ("m", 60), ("h", 3600)]
        guard let unit = units.first(where: { text.hasSuffix($0.0) }), let number = Double(text.dropLast(unit.0.count)),
            number >= 0, number * unit.1 < 1e6
        else {
            let unit = text.utf8.drop { "0123456789.+-".utf8.contains($0) }
            let isTime = text.utf8.count <= 20 && unit.count <= 2
            throw problem(isTime ? "time: invalid duration \"\(text)\"" : "connection_string: \(name) is no duration such as 90s")
        }
        return UInt32((number * unit.1).rounded(.up))
    }

    private static func decoded(_ text: Substring) throws -> String {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "+") {
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

    private static func problem(_ text: String) -> SpireError { SpireError(.invalid, "datastore-sql: " + text) }
}
