// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// The header a proxy puts before what its client sends, to tell who the client is.
///
/// > Spec: The PROXY protocol, versions 1 and 2.
package struct ProxyHeader: Sendable, Equatable {
    /// Where the client is, as `ip:port`; `nil` when the proxy speaks for itself or does not know.
    package let source: String?
    /// Bytes of the header.
    package let length: Int

    package enum Reading: Sendable, Equatable {
        /// What came is not a header: there is none.
        case absent
        case incomplete
        case complete(ProxyHeader)
        case malformed(String)
    }

    /// The longest header of version 1, with its line end.
    package static let longestLine = 107
    /// The longest header of version 2 taken: its fixed part, addresses, and room for extras.
    package static let longestBinary = 16 + 2048

    private static let signature: [UInt8] = [
        0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a,
    ]
    private static let word = Array("PROXY ".utf8)

    /// Reads the header at the front of what has come so far.
    package static func read(_ bytes: ArraySlice<UInt8>) -> Reading {
        guard let first = bytes.first else { return .incomplete }
        if first == word[0] { return line(bytes) }
        if first == signature[0] { return binary(bytes) }
        return .absent
    }

    // MARK: Version 1

    private static func line(_ bytes: ArraySlice<UInt8>) -> Reading {
        guard bytes.prefix(word.count).elementsEqual(word.prefix(bytes.count)) else { return .absent }
        let window = bytes.prefix(longestLine)
        guard let end = window.firstIndex(of: 0x0a) else {
            return window.count < longestLine ? .incomplete : .malformed("the line of the PROXY header is too long")
        }
        let length = end - bytes.startIndex + 1
        guard end > window.startIndex, window[end - 1] == 0x0d,
            let text = String(validating: window[window.startIndex..<(end - 1)], as: UTF8.self)
        else { return .malformed("the line of the PROXY header does not end in CR LF") }
        let parts = text.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
        guard parts.count > 1 else { return .malformed("the PROXY header names no protocol") }
        if parts[1] == "UNKNOWN" { return .complete(ProxyHeader(source: nil, length: length)) }
        guard parts.count == 6, parts[1] == "TCP4" || parts[1] == "TCP6",
            let source = endpoint(parts[2], parts[4], isIPv6: parts[1] == "TCP6"),
            endpoint(parts[3], parts[5], isIPv6: parts[1] == "TCP6") != nil
        else { return .malformed("the addresses of the PROXY header are malformed") }
        return .complete(ProxyHeader(source: source, length: length))
    }

    private static func endpoint(_ address: String, _ port: String, isIPv6: Bool) -> String? {
        guard !port.isEmpty, port.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = UInt16(port),
            !address.contains("%"), let parsed = try? SocketAddress(ipAddress: address, port: Int(number)),
            (parsed.protocol == .inet6) == isIPv6, let ip = parsed.ipAddress
        else { return nil }
        return text(ip, number)
    }

    private static func text(_ ip: String, _ port: UInt16) -> String {
        ip.contains(":") ? "[\(ip)]:\(port)" : "\(ip):\(port)"
    }

    // MARK: Version 2

    private static func binary(_ bytes: ArraySlice<UInt8>) -> Reading {
        guard bytes.prefix(signature.count).elementsEqual(signature.prefix(bytes.count)) else { return .absent }
        let start = bytes.startIndex
        guard bytes.count >= 16 else { return .incomplete }
        let length = 16 + Int(bytes[start + 14]) << 8 + Int(bytes[start + 15])
        guard length <= longestBinary else { return .malformed("the PROXY header is too long") }
        guard bytes[start + 12] >> 4 == 2 else { return .malformed("the PROXY header is of an unknown version") }
        guard bytes.count >= length else { return .incomplete }
        let body = bytes[(start + 16)..<(start + length)]
        switch bytes[start + 12] & 0x0f {
        // The proxy itself connected, to see whether we are there.
        case 0: return .complete(ProxyHeader(source: nil, length: length))
        case 1: break
        default: return .malformed("the PROXY header has an unknown command")
        }
        let width: Int
        switch bytes[start + 13] {
        case 0x11: width = 4
        case 0x21: width = 16
        default: return .complete(ProxyHeader(source: nil, length: length))
        }
        guard body.count >= width * 2 + 4 else { return .malformed("the PROXY header is too short for its addresses") }
        let address = ByteBuffer(bytes: body.prefix(width))
        let portAt = body.startIndex + width * 2
        let port = UInt16(body[portAt]) << 8 | UInt16(body[portAt + 1])
        guard let ip = try? SocketAddress(packedIPAddress: address, port: Int(port)).ipAddress else {
            return .malformed("the addresses of the PROXY header are malformed")
        }
        return .complete(ProxyHeader(source: text(ip, port), length: length))
    }
}
