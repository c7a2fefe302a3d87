// SPDX-License-Identifier: Apache-2.0

import Groundwork

/// What a `connection_string` of type `sqlite3` points at.
package struct SQLiteLocation: Equatable {
    /// What `sqlite3_open_v2` takes: always a URI, so that every path is taken literally.
    package var uri: String
    /// For messages and the file's mode; `nil` in memory.
    package var path: String?

    /// Reads a path, a `file:` URI or `:memory:`.
    ///
    /// Parameters of a URI that SQLite knows (`mode`, `vfs`, `immutable`, `nolock`) work; those of the original's driver
    /// (`_…`) are accepted and have no effect, because foreign keys and the write-ahead log are always on. A shared
    /// cache is not used: in memory there is one connection, and on disk it would only add locks.
    /// - Throws: `invalid`.
    package init(_ text: String) throws {
        guard !text.isEmpty else { throw SpireError(.invalid, "datastore-sql: connection_string must be set") }
        if text == ":memory:" {
            self.init(uri: "file::memory:", path: nil)
            return
        }
        guard let scheme = Self.scheme(of: text) else {
            let (path, query) = Self.split(text)
            self.init(uri: "file:" + Self.escaped(path) + "?" + query, path: path)
            return
        }
        guard scheme == "file" else {
            throw SpireError(.invalid, "datastore-sql: unsupported scheme \"\(scheme)\"")
        }
        let (name, query) = Self.split(String(text.dropFirst(5)))
        if name == ":memory:" || query.split(separator: "&").contains("mode=memory") {
            self.init(uri: "file::memory:", path: nil)
            return
        }
        var path = name
        if path.hasPrefix("//") {
            let slash = path.dropFirst(2).firstIndex(of: "/") ?? path.endIndex
            path = String(path[slash...])
        }
        self.init(uri: "file:" + name + "?" + query, path: Self.unescaped(path))
    }

    private init(uri: String, path: String?) {
        self.uri = uri
        self.path = path
    }

    private static func scheme(of text: String) -> String? {
        guard let colon = text.firstIndex(of: ":") else { return nil }
        let scheme = text[..<colon]
        guard let first = scheme.utf8.first, first | 0x20 >= 97, first | 0x20 <= 122 else { return nil }
        let isScheme = scheme.utf8.allSatisfy { byte in
            (byte | 0x20 >= 97 && byte | 0x20 <= 122) || (byte >= 48 && byte <= 57) || byte == 43 || byte == 45
                || byte == 46
        }
        return isScheme ? scheme.lowercased() : nil
    }

    private static func split(_ text: String) -> (name: String, query: String) {
        guard let mark = text.firstIndex(of: "?") else { return (text, "cache=private") }
        let parameters = text[text.index(after: mark)...].split(separator: "&").filter { !$0.hasPrefix("cache=") }
        return (String(text[..<mark]), (parameters + ["cache=private"]).joined(separator: "&"))
    }

    private static func escaped(_ path: String) -> String {
        let hex = Array("0123456789ABCDEF".utf8)
        var out: [UInt8] = []
        for byte in path.utf8 {
            if byte == UInt8(ascii: "%") || byte == UInt8(ascii: "#") || byte == UInt8(ascii: "?") {
                out += [UInt8(ascii: "%"), hex[Int(byte >> 4)], hex[Int(byte & 15)]]
            } else {
                out.append(byte)
            }
        }
        return String(decoding: out, as: UTF8.self)
    }

    private static func unescaped(_ path: String) -> String {
        var out: [UInt8] = []
        var rest = Array(path.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), rest.count >= 2,
                let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            {
                out.append(value)
                rest = rest.dropFirst(2)
            } else {
                out.append(byte)
            }
        }
        return String(decoding: out, as: UTF8.self)
    }
}
