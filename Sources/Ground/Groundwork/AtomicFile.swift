// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Whole-file reads with a size limit, and writes that leave either the old file or the new one, never a half.
package enum AtomicFile {
    /// Writes `bytes` to a temporary sibling (`<path>.tmp`), syncs it, renames it over `path` and syncs the directory.
    ///
    /// Blocks: call it on a `BlockingLane` where latency matters.
    /// - Parameter mode: Permission bits, exact (the process umask does not apply).
    /// - Throws: `io` naming the path and the reason. The old file is untouched then.
    package static func write(_ bytes: [UInt8], to path: String, mode: UInt32 = 0o600) throws {
        let sibling = path + ".tmp"
        unlink(sibling)
        let descriptor = open(sibling, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode_t(mode))
        guard descriptor >= 0 else { throw failure("create", sibling) }
        do {
            defer { close(descriptor) }
            guard fchmod(descriptor, mode_t(mode)) == 0 else { throw failure("set the mode of", sibling) }
            var sent = 0
            while sent < bytes.count {
                let count = bytes[sent...].withUnsafeBytes { Self.posixWrite(descriptor, $0.baseAddress, $0.count) }
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { throw failure("write", sibling) }
                sent += count
            }
            guard fsync(descriptor) == 0 else { throw failure("sync", sibling) }
        } catch {
            unlink(sibling)
            throw error
        }
        guard rename(sibling, path) == 0 else {
            let error = failure("rename onto", path)
            unlink(sibling)
            throw error
        }
        let slash = path.lastIndex(of: "/")
        let parent = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        let directory = open(parent, O_RDONLY | O_CLOEXEC | O_DIRECTORY)
        if directory >= 0 {
            fsync(directory)
            close(directory)
        }
    }

    /// Reads the whole of `path`.
    ///
    /// - Parameter limit: Most bytes accepted; a larger file is an error.
    /// - Returns: `nil` when there is no such file.
    /// - Throws: `io` naming the path and the reason.
    package static func read(_ path: String, limit: Int = 64 << 20) throws -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw failure("open", path)
        }
        defer { close(descriptor) }
        var out: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = chunk.withUnsafeMutableBytes { Self.posixRead(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw failure("read", path) }
            if count == 0 { return out }
            guard out.count + count <= limit else {
                throw SpireError(.io, "cannot read \(path): larger than \(limit) bytes")
            }
            out.append(contentsOf: chunk[..<count])
        }
    }

    private static func posixWrite(_ fd: Int32, _ base: UnsafeRawPointer?, _ count: Int) -> Int {
        #if canImport(Glibc)
        Glibc.write(fd, base, count)
        #elseif canImport(Musl)
        Musl.write(fd, base, count)
        #else
        Darwin.write(fd, base, count)
        #endif
    }

    private static func posixRead(_ fd: Int32, _ base: UnsafeMutableRawPointer?, _ count: Int) -> Int {
        #if canImport(Glibc)
        Glibc.read(fd, base, count)
        #elseif canImport(Musl)
        Musl.read(fd, base, count)
        #else
        Darwin.read(fd, base, count)
        #endif
    }

    private static func failure(_ verb: String, _ path: String) -> SpireError {
        SpireError(.io, "cannot \(verb) \(path): \(String(cString: strerror(errno)))")
    }
}
