// SPDX-License-Identifier: Apache-2.0

import Groundwork

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A bound Unix socket and its file.
///
/// The socket is made here and not by NIO because its mode must be set between `bind` and `listen`: until somebody
/// listens nobody can connect, so there is no moment in which the wrong users can.
struct SocketFile: Sendable {
    let path: String
    let descriptor: CInt
    private let mark: Mark

    static let maximumPathLength = 107

    /// Makes the parent directory when it is missing, removes a left-over socket, binds and sets the mode.
    /// - Throws: `invalid_argument`, `io` or `wire.address_in_use`, naming the path.
    init(binding path: String, mode: UInt32) throws {
        guard !path.isEmpty, path.utf8.count <= Self.maximumPathLength, !path.utf8.contains(0) else {
            throw SpireError(
                .invalid, "socket path must have 1 to \(Self.maximumPathLength) bytes: \"\(path)\"")
        }
        try Self.makeParent(of: path)
        try Self.removeLeftover(path)
        let descriptor = try Self.makeSocket()
        self.descriptor = descriptor
        self.path = path
        do {
            guard Self.withAddress(path, { bind(descriptor, $0, $1) }) == 0 else { throw Self.failure("listen on", path) }
            guard chmod(path, mode_t(mode)) == 0 else { throw Self.failure("set the mode of", path) }
            guard let mark = Mark(path) else { throw Self.failure("look at", path) }
            self.mark = mark
        } catch {
            close(descriptor)
            throw error
        }
    }

    /// Lets as many callers wait to be taken in as the system allows. NIO, which listens on a socket it is handed, allows 128,
    /// and who finds the queue full is turned away. Call it while the socket is open.
    func widenQueue() { listen(descriptor, CInt(ConnectionOptions.queueLength)) }

    /// Removes the file, unless somebody has put another one in its place.
    func remove() {
        if Mark(path) == mark { unlink(path) }
    }

    /// What tells a file from one that was put in its place later. File systems give a freed inode number to the next file
    /// they make, so the time at which a socket was made counts as well; nothing done to a socket changes it.
    private struct Mark: Equatable {
        let device: UInt64
        let inode: UInt64
        let seconds: Int
        let nanoseconds: Int

        init?(_ path: String) {
            var status = stat()
            guard lstat(path, &status) == 0 else { return nil }
            device = UInt64(status.st_dev)
            inode = UInt64(status.st_ino)
            seconds = status.st_mtim.tv_sec
            nanoseconds = status.st_mtim.tv_nsec
        }
    }

    private static func makeParent(of path: String) throws {
        guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return }
        var made = ""
        for part in path[..<slash].split(separator: "/", omittingEmptySubsequences: false) {
            made += made.isEmpty && part.isEmpty ? "" : (made.isEmpty && path.first != "/" ? String(part) : "/" + part)
            if made.isEmpty || made == "/" { continue }
            if mkdir(made, 0o755) != 0, errno != EEXIST, errno != EISDIR {
                let error = errno
                var status = stat()
                if stat(made, &status) == 0 { continue }
                throw SpireError(.io, "cannot create directory \(made): \(String(cString: strerror(error)))")
            }
        }
    }

    private static func removeLeftover(_ path: String) throws {
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFSOCK else {
            throw SpireError(.addressInUse, "cannot listen on \(path): it exists and is not a socket")
        }
        let probe = try makeSocket()
        defer { close(probe) }
        let connected = withAddress(path) { connect(probe, $0, $1) }
        // EAGAIN: somebody listens and is busy.
        if connected == 0 || errno == EAGAIN || errno == EINPROGRESS {
            throw SpireError(.addressInUse, "cannot listen on \(path): another process listens on it")
        }
        guard errno == ECONNREFUSED || errno == ENOENT else { throw failure("look for a listener on", path) }
        guard unlink(path) == 0 || errno == ENOENT else { throw failure("remove left-over socket", path) }
    }

    private static func makeSocket() throws -> CInt {
        #if canImport(Musl)
        let kind = CInt(SOCK_STREAM) | CInt(SOCK_CLOEXEC) | CInt(SOCK_NONBLOCK)
        #else
        let kind = CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue) | CInt(SOCK_NONBLOCK.rawValue)
        #endif
        let descriptor = socket(AF_UNIX, kind, 0)
        guard descriptor >= 0 else {
            throw SpireError(.io, "cannot make a socket: \(String(cString: strerror(errno)))")
        }
        return descriptor
    }

    private static func withAddress(
        _ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> CInt
    ) -> CInt {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let size = socklen_t(MemoryLayout<sockaddr_un>.size)
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, size) }
        }
    }

    private static func failure(_ verb: String, _ path: String) -> SpireError {
        SpireError(.io, "cannot \(verb) \(path): \(String(cString: strerror(errno)))")
    }
}
