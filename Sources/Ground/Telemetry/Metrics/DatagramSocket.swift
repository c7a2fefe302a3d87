// SPDX-License-Identifier: Apache-2.0

import Groundwork

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A UDP socket with one destination. Sending never waits; what cannot be sent is dropped.
final class DatagramSocket: Sendable {
    private let descriptor: Int32

    /// Looks the host up, which may block.
    /// - Parameter address: `host:port`, IPv6 in brackets.
    /// - Throws: `invalid_argument` for a malformed address, `unavailable` when the host is not known.
    init(to address: String) throws(SpireError) {
        guard let colon = address.lastIndex(of: ":"), UInt16(address[address.index(after: colon)...]) != nil else {
            throw SpireError(.invalid, "\"\(address)\" is not an address of the form host:port")
        }
        var host = String(address[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        #if canImport(Glibc)
        hints.ai_socktype = Int32(SOCK_DGRAM.rawValue)
        #else
        hints.ai_socktype = SOCK_DGRAM
        #endif
        var found: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(
            host.isEmpty ? "localhost" : host, String(address[address.index(after: colon)...]), &hints, &found)
        guard code == 0, let first = found else {
            throw SpireError(.unavailable, "cannot look up \(address): \(String(cString: gai_strerror(code)))")
        }
        defer { freeaddrinfo(found) }
        var next: UnsafeMutablePointer<addrinfo>? = first
        while let entry = next {
            let opened = socket(entry.pointee.ai_family, entry.pointee.ai_socktype, 0)
            if opened >= 0 {
                _ = fcntl(opened, F_SETFD, FD_CLOEXEC)
                _ = fcntl(opened, F_SETFL, O_NONBLOCK)
                if connect(opened, entry.pointee.ai_addr, entry.pointee.ai_addrlen) == 0 {
                    descriptor = opened
                    return
                }
                close(opened)
            }
            next = entry.pointee.ai_next
        }
        throw SpireError(.unavailable, "cannot reach \(address): \(String(cString: strerror(errno)))")
    }

    deinit { close(descriptor) }

    func send(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { buffer in
            #if canImport(Glibc)
            _ = Glibc.send(descriptor, buffer.baseAddress, buffer.count, Int32(MSG_NOSIGNAL))
            #elseif canImport(Musl)
            _ = Musl.send(descriptor, buffer.baseAddress, buffer.count, MSG_NOSIGNAL)
            #else
            _ = Darwin.send(descriptor, buffer.baseAddress, buffer.count, 0)
            #endif
        }
    }
}
