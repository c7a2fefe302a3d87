// SPDX-License-Identifier: Apache-2.0

import Groundwork

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Folders the server makes for itself.
enum SocketFolder {
    /// Makes the folder of the admin socket, closed to others: whoever reaches the socket is an administrator.
    static func prepare(_ socketPath: String) throws {
        guard let slash = socketPath.lastIndex(of: "/"), slash != socketPath.startIndex else { return }
        try make(String(socketPath[..<slash]), mode: 0o750)
    }

    /// Makes a folder and those above it.
    /// - Throws: `io` naming the folder and the reason.
    static func make(_ path: String, mode: mode_t) throws {
        if isFolder(path) { return }
        if let slash = path.lastIndex(of: "/"), slash != path.startIndex {
            try make(String(path[..<slash]), mode: mode)
        }
        if unsafe mkdir(path, mode) == 0 || (errno == EEXIST && isFolder(path)) { return }
        throw SpireError(.io, "unable to create directory \(path): \(unsafe String(cString: strerror(errno)))")
    }

    private static func isFolder(_ path: String) -> Bool {
        var status = stat()
        return unsafe stat(path, &status) == 0 && (status.st_mode & S_IFMT) == S_IFDIR
    }
}
