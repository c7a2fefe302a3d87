// SPDX-License-Identifier: Apache-2.0

import Groundwork
package import NIOCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A range of IP addresses, such as `10.0.0.0/8` or `fd00::/8`.
package struct CIDRBlock: Sendable, Hashable {
    /// 4 or 16 bytes; bits behind the prefix are zero.
    private let network: [UInt8]
    private let prefix: Int

    /// - Throws: `invalid_argument`, with the words of Go's parser.
    package init(_ text: String) throws {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let bytes = Self.bytes(String(parts[0])),
            !parts[1].isEmpty, parts[1].utf8.count <= 3, parts[1].utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let prefix = Int(parts[1]), prefix <= bytes.count * 8
        else { throw SpireError(.invalid, "invalid CIDR address: \(text)") }
        self.prefix = prefix
        network = Self.masked(bytes, prefix)
    }

    /// Whether the address is in the range. An IPv4 address mapped into IPv6 counts as IPv4.
    package func contains(_ address: SocketAddress) -> Bool {
        guard let text = address.ipAddress, var bytes = Self.bytes(text) else { return false }
        let mapped: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]
        if bytes.count == 16, Array(bytes[..<12]) == mapped, network.count == 4 { bytes = Array(bytes[12...]) }
        return bytes.count == network.count && Self.masked(bytes, prefix) == network
    }

    private static func masked(_ bytes: [UInt8], _ prefix: Int) -> [UInt8] {
        bytes.enumerated().map { index, byte in
            let kept = min(8, max(0, prefix - index * 8))
            return kept == 8 ? byte : byte & ~(UInt8.max >> kept)
        }
    }

    private static func bytes(_ text: String) -> [UInt8]? {
        // `inet_pton` knows no zones: those name interfaces of this machine, not networks.
        var v4 = [UInt8](repeating: 0, count: 4)
        if unsafe inet_pton(AF_INET, text, &v4) == 1 { return v4 }
        var v6 = [UInt8](repeating: 0, count: 16)
        return unsafe inet_pton(AF_INET6, text, &v6) == 1 ? v6 : nil
    }
}
