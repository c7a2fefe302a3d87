// SPDX-License-Identifier: Apache-2.0

import Groundwork
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// The one place lines leave the program: whole lines, never mixed, each handed to the system at once.
final class LogWriter: Sendable {
    /// Empty for standard output.
    private let path: String
    private let descriptor: Mutex<Int32>
    private let owns: Bool
    let isTerminal: Bool

    /// - Parameter path: Opened for appending; empty means standard output.
    init(path: String) throws(SpireError) {
        self.path = path
        owns = !path.isEmpty
        let opened = path.isEmpty ? STDOUT_FILENO : try Self.open(path)
        descriptor = Mutex(opened)
        isTerminal = isatty(opened) == 1
    }

    init(descriptor: Int32) {
        path = ""
        owns = false
        self.descriptor = Mutex(descriptor)
        isTerminal = false
    }

    deinit {
        if owns { descriptor.withLock { _ = close($0) } }
    }

    private static func open(_ path: String) throws(SpireError) -> Int32 {
        #if canImport(Glibc)
        let opened = Glibc.open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o640)
        #elseif canImport(Musl)
        let opened = Musl.open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o640)
        #else
        let opened = Darwin.open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o640)
        #endif
        guard opened >= 0 else {
            throw SpireError(.io, "unable to open log file: open \(path): \(String(cString: strerror(errno)))")
        }
        return opened
    }

    func reopen() throws(SpireError) {
        guard owns else { return }
        let fresh = try Self.open(path)
        let old = descriptor.withLock { current in
            let old = current
            current = fresh
            return old
        }
        close(old)
    }

    /// Writes a line that ends with a line end. A line that cannot be written is lost: there is nowhere to say so.
    func write(_ line: [UInt8]) {
        descriptor.withLock { descriptor in
            line.withUnsafeBytes { bytes in
                var sent = 0
                while sent < bytes.count {
                    let count = Self.send(descriptor, bytes.baseAddress.map { $0 + sent }, bytes.count - sent)
                    if count > 0 {
                        sent += count
                    } else if count < 0, errno == EINTR {
                        continue
                    } else if count < 0, errno == EAGAIN {
                        // Somebody made a shared terminal or pipe non-blocking.
                        var wait = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                        guard poll(&wait, 1, 1000) > 0 else { return }
                    } else {
                        return
                    }
                }
            }
        }
    }

    private static func send(_ descriptor: Int32, _ base: UnsafeRawPointer?, _ count: Int) -> Int {
        #if canImport(Glibc)
        Glibc.write(descriptor, base, count)
        #elseif canImport(Musl)
        Musl.write(descriptor, base, count)
        #else
        Darwin.write(descriptor, base, count)
        #endif
    }
}
