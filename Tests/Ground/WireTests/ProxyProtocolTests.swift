// SPDX-License-Identifier: Apache-2.0

import Groundwork
import NIOCore
import Testing

@testable import Wire

@Suite struct ProxyHeaderTests {
    func read(_ text: String) -> ProxyHeader.Reading { ProxyHeader.read(Array(text.utf8)[...]) }

    @Test("a line tells who the client is, wherever it is cut")
    func line() {
        let whole = "PROXY TCP4 192.0.2.7 198.51.100.1 56324 8081\r\n\u{16}"
        #expect(read(whole) == .complete(ProxyHeader(source: "192.0.2.7:56324", length: 46)))
        let bytes = Array(whole.utf8)
        for count in 0..<46 { #expect(ProxyHeader.read(bytes[..<count]) == .incomplete, "\(count) bytes") }
        #expect(
            read("PROXY TCP6 2001:db8::1 2001:db8::2 1 2\r\n")
                == .complete(ProxyHeader(source: "[2001:db8::1]:1", length: 40)))
        #expect(read("PROXY UNKNOWN what ever\r\n") == .complete(ProxyHeader(source: nil, length: 25)))
    }

    @Test("the binary form tells the same", arguments: [true, false])
    func binary(_ isIPv6: Bool) throws {
        let addresses: [UInt8] =
            isIPv6
            ? [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1] + [UInt8](repeating: 2, count: 16) : [192, 0, 2, 7, 1, 2, 3, 4]
        let body = addresses + [0xdc, 0x04, 0x1f, 0x91] + [0x04, 0x00, 0x01, 0xff]
        let header =
            Array("\r\n\r\n\0\r\nQUIT\n".utf8) + [0x21, isIPv6 ? 0x21 : 0x11, 0, UInt8(body.count)] + body
        let expected = ProxyHeader(source: isIPv6 ? "[2001:db8::1]:56324" : "192.0.2.7:56324", length: header.count)
        #expect(ProxyHeader.read((header + [0x16])[...]) == .complete(expected))
        for count in 0..<header.count { #expect(ProxyHeader.read(header[..<count]) == .incomplete, "\(count) bytes") }
        var local = header
        local[12] = 0x20
        #expect(ProxyHeader.read(local[...]) == .complete(ProxyHeader(source: nil, length: header.count)))
    }

    @Test("TLS without a header is taken as it is")
    func absent() {
        #expect(ProxyHeader.read([0x16, 3, 1][...]) == .absent)
        #expect(read("PRIVATE") == .absent)
        #expect(ProxyHeader.read([0x0d, 0x0a, 0x0e][...]) == .absent)
    }

    @Test("what begins as a header and is none is malformed", arguments: [
        "PROXY TCP4 192.0.2.7 198.51.100.1 56324\r\n", "PROXY TCP4 2001:db8::1 198.51.100.1 1 2\r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 70000 1\r\n", "PROXY TCP4 192.0.2.7 198.51.100.1 1 2\n",
        "PROXY TCP9 192.0.2.7 198.51.100.1 1 2\r\n", "PROXY \r\n", "PROXY TCP4 " + String(repeating: "x", count: 200),
        "PROXY TCP4 192.0.2.7 198.51.100.1 +1 2\r\n", "PROXY TCP4 host 198.51.100.1 1 2\r\n",
    ])
    func malformed(_ text: String) {
        guard case .malformed = read(text) else {
            Issue.record("\(read(text))")
            return
        }
    }

    @Test("a binary header that lies about its size, version or command is malformed", arguments: [
        [0x21, 0x11, 0, 4, 1, 2, 3, 4], [0x31, 0x11, 0, 12], [0x22, 0x11, 0, 0], [0x21, 0x11, 0xff, 0xff],
    ] as [[UInt8]])
    func malformedBinary(_ rest: [UInt8]) {
        guard case .malformed = ProxyHeader.read((Array("\r\n\r\n\0\r\nQUIT\n".utf8) + rest)[...]) else {
            Issue.record("accepted \(rest)")
            return
        }
    }

    @Test("no bytes whatever make the reader fail", arguments: 0..<200)
    func mutations(_ seed: UInt64) {
        var state = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        var bytes = Array("PROXY TCP4 192.0.2.7 198.51.100.1 56324 8081\r\n".utf8)
        if seed % 2 == 0 { bytes = Array("\r\n\r\n\0\r\nQUIT\n".utf8) + [0x21, 0x11, 0, 12] + [UInt8](repeating: 9, count: 12) }
        for _ in 0..<4 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            bytes[Int(state >> 33) % bytes.count] = UInt8(truncatingIfNeeded: state >> 20)
        }
        for count in 0...bytes.count {
            if case .complete(let header) = ProxyHeader.read(bytes[..<count]) { #expect(header.length <= count) }
        }
    }
}

@Suite struct CIDRBlockTests {
    @Test("ranges hold the addresses they should", arguments: [
        ("10.0.0.0/8", "10.255.1.2", true), ("10.0.0.0/8", "11.0.0.1", false), ("10.1.2.3/32", "10.1.2.3", true),
        ("0.0.0.0/0", "203.0.113.9", true), ("10.128.0.0/9", "10.127.255.255", false), ("fd00::/8", "fd12::1", true),
        ("fd00::/8", "fe80::1", false), ("10.0.0.0/8", "::ffff:10.1.1.1", true), ("::/0", "10.0.0.1", false),
        ("192.0.2.77/24", "192.0.2.1", true),
    ])
    func contains(_ block: String, _ address: String, _ expected: Bool) throws {
        #expect(try CIDRBlock(block).contains(SocketAddress(ipAddress: address, port: 1)) == expected)
    }

    @Test("what is no range is refused", arguments: [
        "", "10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0/8", "::/129", "fe80::1%eth0/64", "host/8", "10.0.0.0/+8", "/8",
    ])
    func malformed(_ text: String) {
        #expect(throws: SpireError(.invalid, "")) { try CIDRBlock(text) }
    }
}
