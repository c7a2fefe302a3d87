// SPDX-License-Identifier: Apache-2.0

import Groundwork
import SPIFFE

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Which HTTP proxy downloads go through, as the environment says: `HTTPS_PROXY` and `NO_PROXY`, or the same in lower
/// case. Names and addresses of this machine are never asked of a proxy.
package struct ProxySettings: Sendable, Hashable {
    /// `HTTPS_PROXY`; empty for none. May hold a password: never logged.
    private let proxy: String
    /// `NO_PROXY`.
    private let exceptions: String

    /// No proxy.
    package static let none = ProxySettings { _ in nil }

    /// - Parameter environment: The value of a variable.
    package init(_ environment: (String) -> String?) {
        func first(_ name: String) -> String {
            for spelling in [name, name.lowercased()] {
                if let value = environment(spelling), !value.isEmpty { return value }
            }
            return ""
        }
        proxy = first("HTTPS_PROXY")
        exceptions = first("NO_PROXY")
    }

    /// A proxy to ask for a tunnel.
    struct Proxy: Sendable, Hashable {
        let host: String
        let port: Int
        /// The `Proxy-Authorization` field; `nil` without a user.
        let authorization: String?
    }

    /// The proxy for `place`; `nil` when it is reached directly.
    /// - Throws: `agent.bootstrap_bundle` when the proxy is of a kind that is not spoken here, or malformed.
    func proxy(for place: HTTPGet.Place) throws -> Proxy? {
        guard !proxy.isEmpty, place.scheme == "https", !isException(place) else { return nil }
        var text = Substring(proxy)
        if let mark = text.firstRange(of: "://") {
            guard text[..<mark.lowerBound].lowercased() == "http" else {
                throw SpireError(
                    .bootstrapBundle,
                    "HTTPS_PROXY names a proxy of an unsupported kind (\(text[..<mark.lowerBound])); only http:// proxies can be used")
            }
            text = text[mark.upperBound...]
        }
        var authorization: String?
        let end = text.firstIndex { "/?#".contains($0) } ?? text.endIndex
        if let at = text[..<end].lastIndex(of: "@") {
            let user = Self.unescaped(text[..<at])
            authorization = "Basic " + Base64.encode(user.contains(UInt8(ascii: ":")) ? user : user + [UInt8(ascii: ":")], .standard)
            text = text[text.index(after: at)...]
        }
        do {
            let place = try HTTPGet.Place("http://\(text)")
            guard !place.host.isEmpty else { throw SpireError(.bootstrapBundle, "") }
            return Proxy(host: place.host, port: place.port, authorization: authorization)
        } catch {
            // The variable may hold a password, so it is not repeated.
            throw SpireError(.bootstrapBundle, "HTTPS_PROXY is malformed: expected http://[user:password@]host[:port]")
        }
    }

    private func isException(_ place: HTTPGet.Place) -> Bool {
        let host = place.host.lowercased()
        let address = Self.address(host)
        if host == "localhost" { return true }
        if let address, Self.isLoopback(address) { return true }
        for part in exceptions.split(separator: ",") {
            var pattern = String(part.filter { $0 != " " && $0 != "\t" }).lowercased()
            if pattern.isEmpty { continue }
            if pattern == "*" { return true }
            if let slash = pattern.lastIndex(of: "/") {
                if let address, let network = Self.address(String(pattern[..<slash])),
                    let length = Int(pattern[pattern.index(after: slash)...]), Self.isWithin(address, network, length)
                {
                    return true
                }
                continue
            }
            if Self.address(pattern) == nil, let colon = pattern.lastIndex(of: ":"),
                let port = Int(pattern[pattern.index(after: colon)...])
            {
                guard port == place.port else { continue }
                pattern = String(pattern[..<colon])
            }
            if pattern.hasPrefix("["), pattern.hasSuffix("]") { pattern = String(pattern.dropFirst().dropLast()) }
            if let exact = Self.address(pattern) {
                if exact == address { return true }
                continue
            }
            if pattern.hasPrefix("*.") { pattern.removeFirst() }
            if pattern.hasPrefix(".") {
                if host.hasSuffix(pattern) { return true }
            } else if host == pattern || host.hasSuffix("." + pattern) {
                return true
            }
        }
        return false
    }

    /// The bytes of an address, 4 or 16; `nil` for a name.
    private static func address(_ text: String) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 4)
        if unsafe inet_pton(AF_INET, text, &bytes) == 1 { return bytes }
        bytes = [UInt8](repeating: 0, count: 16)
        guard unsafe inet_pton(AF_INET6, text, &bytes) == 1 else { return nil }
        // An IPv4 address in IPv6 form is the IPv4 address.
        let mapped = [UInt8](repeating: 0, count: 10) + [0xff, 0xff]
        return bytes.starts(with: mapped) ? Array(bytes.dropFirst(12)) : bytes
    }

    private static func isLoopback(_ address: [UInt8]) -> Bool {
        address.count == 4 ? address[0] == 127 : address == [UInt8](repeating: 0, count: 15) + [1]
    }

    private static func isWithin(_ address: [UInt8], _ network: [UInt8], _ length: Int) -> Bool {
        guard address.count == network.count, (0...address.count * 8).contains(length) else { return false }
        return (0..<length).allSatisfy { bit in
            (address[bit / 8] ^ network[bit / 8]) & (0x80 >> (bit % 8)) == 0
        }
    }

    /// Percent escapes resolved; what is no escape stays.
    private static func unescaped(_ text: Substring) -> [UInt8] {
        var out: [UInt8] = []
        var rest = Array(text.utf8)[...]
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
        return out
    }
}
