// SPDX-License-Identifier: Apache-2.0

import Groundwork

/// An `http` or `https` URL taken apart as far as a request needs it.
package struct WebAddress: Sendable, Hashable, CustomStringConvertible {
    package let scheme: String
    /// `host` or `host:port`, as it goes into the `Host` field. User info is dropped.
    package let authority: String
    /// Without the brackets of an IPv6 address.
    package let host: String
    package let port: Int
    /// Path and query, beginning with a slash; no fragment.
    package let target: String

    /// - Throws: `web.malformed_url`.
    package init(_ url: String) throws {
        guard let colon = url.firstIndex(of: ":"), url[colon...].hasPrefix("://") else { throw Self.malformed(url) }
        scheme = url[..<colon].lowercased()
        guard scheme == "https" || scheme == "http" else { throw Self.malformed(url) }
        let rest = url[colon...].dropFirst(3).prefix { $0 != "#" }
        let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
        var authority = String(rest[..<end])
        if let at = authority.lastIndex(of: "@") { authority = String(authority[authority.index(after: at)...]) }
        let path = String(rest[end...])
        target = path.hasPrefix("/") ? path : "/" + path
        self.authority = authority
        let isSafe = { (text: String) in text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f } }
        guard isSafe(authority), isSafe(target) else { throw Self.malformed(url) }
        var host = authority
        var port = scheme == "https" ? 443 : 80
        let bracket = authority.lastIndex(of: "]")
        if let colon = authority.lastIndex(of: ":"), bracket.map({ $0 < colon }) ?? true {
            guard let number = UInt16(authority[authority.index(after: colon)...]) else { throw Self.malformed(url) }
            port = Int(number)
            host = String(authority[..<colon])
        }
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        self.host = host
        self.port = port
    }

    /// Where a `Location` field leads from here: an absolute URL, or a path on the same server.
    /// - Throws: `web.malformed_url`.
    package func following(_ location: String) throws -> WebAddress {
        if location.contains("://") { return try WebAddress(location) }
        guard location.hasPrefix("/"), !location.hasPrefix("//") else { throw Self.malformed(location) }
        return try WebAddress("\(scheme)://\(authority)\(location)")
    }

    package var description: String { "\(scheme)://\(authority)\(target)" }

    private static func malformed(_ url: String) -> SpireError {
        SpireError(.webAddress, "\(url): the URL is malformed")
    }
}
