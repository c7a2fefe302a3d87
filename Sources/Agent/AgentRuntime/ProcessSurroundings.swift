// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif
import Groundwork
import Logging

/// What a daemon sets up around itself before it starts.
enum ProcessSurroundings {
    /// Makes the directory with `mode`, and those above it with mode 0755, each less the process umask.
    /// - Throws: `io`, naming the directory.
    static func makeDirectory(_ path: String, mode: mode_t = 0o755) throws {
        if path.isEmpty || path == "/" || path == "." { return }
        if unsafe mkdir(path, mode) == 0 || errno == EEXIST { return }
        guard errno == ENOENT, let slash = path.lastIndex(of: "/"), slash != path.startIndex else {
            throw SpireError(.io, "mkdir \(path): \(unsafe String(cString: strerror(errno)))")
        }
        try makeDirectory(String(path[..<slash]))
        guard unsafe mkdir(path, mode) == 0 || errno == EEXIST else {
            throw SpireError(.io, "mkdir \(path): \(unsafe String(cString: strerror(errno)))")
        }
    }

    /// Keeps files from being readable by others, whatever umask the process was started with.
    static func tightenUmask(_ logger: Logger) {
        let current = umask(0o027)
        guard current & 0o027 != 0o027 else {
            umask(current)
            return
        }
        umask(current | 0o027)
        logger.warning("Current umask \(octal(current)) is too permissive; setting umask \(octal(current | 0o027))")
    }

    /// Allows as many open files as the system permits: each workload connection takes two.
    static func raiseFileLimit() {
        var limit = rlimit()
        #if canImport(Glibc)
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        #else
        let resource = RLIMIT_NOFILE
        #endif
        guard unsafe getrlimit(resource, &limit) == 0, limit.rlim_cur < limit.rlim_max else { return }
        limit.rlim_cur = limit.rlim_max
        _ = unsafe setrlimit(resource, &limit)
    }

    /// Lets SIGUSR1 through to whoever is about to listen for it: a signal that is ignored reaches nobody.
    static func admitDumpSignal() { _ = signal(SIGUSR1, SIG_DFL) }

    /// SIGUSR1 asks for plugins to be configured anew. Until there are such plugins it must not end the process.
    static func ignoreReconfigureSignal() { _ = signal(SIGUSR1, SIG_IGN) }

    /// The value of an environment variable.
    static func environment(_ name: String) -> String? { unsafe getenv(name).map { unsafe String(cString: $0) } }

    static var processID: Int32 { getpid() }

    private static func octal(_ mode: mode_t) -> String {
        let digits = String(mode, radix: 8)
        return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }
}
