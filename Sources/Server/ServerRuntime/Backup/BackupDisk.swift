// SPDX-License-Identifier: Apache-2.0

import Groundwork

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A new file that appears under its name only when it is complete. Mode 0600. Blocks.
final class BackupDiskWriter {
    private let path: String
    private let sibling: String
    private var descriptor: Int32

    /// - Throws: `io`; `backup.refused` when there is a file of that name.
    init(_ path: String) throws {
        self.path = path
        sibling = path + ".part"
        guard unsafe access(path, F_OK) != 0 else {
            throw BackupFailure.refused("\(path) is there already; a backup never overwrites a file")
        }
        unsafe unlink(sibling)
        descriptor = unsafe open(sibling, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw BackupDisk.failure("create", sibling) }
    }

    deinit {
        guard descriptor >= 0 else { return }
        _ = close(descriptor)
        unsafe unlink(sibling)
    }

    func write(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = unsafe bytes[sent...].withUnsafeBytes { part in
                #if canImport(Glibc)
                unsafe Glibc.write(descriptor, part.baseAddress, part.count)
                #elseif canImport(Musl)
                unsafe Musl.write(descriptor, part.baseAddress, part.count)
                #else
                unsafe Darwin.write(descriptor, part.baseAddress, part.count)
                #endif
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw BackupDisk.failure("write", sibling) }
            sent += count
        }
    }

    /// Syncs the file and gives it its name, unless somebody else has taken that by now.
    func finish() throws {
        guard fsync(descriptor) == 0 else { throw BackupDisk.failure("sync", sibling) }
        _ = close(descriptor)
        descriptor = -1
        defer { unsafe unlink(sibling) }
        guard unsafe link(sibling, path) == 0 else { throw BackupDisk.failure("create", path) }
        let slash = path.lastIndex(of: "/")
        let parent = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        let folder = unsafe open(parent, O_RDONLY | O_CLOEXEC | O_DIRECTORY)
        if folder >= 0 {
            fsync(folder)
            _ = close(folder)
        }
    }
}

/// A file read from its beginning. Blocks.
final class BackupDiskReader {
    private let path: String
    private let descriptor: Int32

    init(_ path: String) throws {
        self.path = path
        descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw BackupDisk.failure("open", path) }
    }

    deinit { _ = close(descriptor) }

    /// Exactly `count` bytes, or fewer at the end of the file.
    func read(_ count: Int) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var found = 0
        while found < count {
            let got = unsafe bytes[found...].withUnsafeMutableBytes { part in
                #if canImport(Glibc)
                unsafe Glibc.read(descriptor, part.baseAddress, part.count)
                #elseif canImport(Musl)
                unsafe Musl.read(descriptor, part.baseAddress, part.count)
                #else
                unsafe Darwin.read(descriptor, part.baseAddress, part.count)
                #endif
            }
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else { throw BackupDisk.failure("read", path) }
            if got == 0 { return Array(bytes[..<found]) }
            found += got
        }
        return bytes
    }
}

enum BackupDisk {
    static func failure(_ verb: String, _ path: String) -> SpireError {
        SpireError(.io, unsafe "cannot \(verb) \(path): \(String(cString: strerror(errno)))")
    }
}
