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

/// Another program, started by this one and ended with it.
final class ChildProcess: Sendable {
    let pid: pid_t
    private let ended = Mutex<Int32?>(nil)

    private init(pid: pid_t) { self.pid = pid }

    /// Starts `path`. Its output goes to `outputPath`, which is made new.
    /// - Throws: `io` with the reason.
    static func start(_ path: String, _ arguments: [String], outputPath: String) throws -> ChildProcess {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        unsafe posix_spawn_file_actions_addopen(&actions, 1, outputPath, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        unsafe posix_spawn_file_actions_adddup2(&actions, 1, 2)
        var argv: [UnsafeMutablePointer<CChar>?] = unsafe ([path] + arguments).map { unsafe strdup($0) }
        unsafe argv.append(nil)
        defer { for unsafe pointer in unsafe argv { unsafe free(pointer) } }
        var pid = pid_t()
        let result = unsafe posix_spawn(&pid, path, &actions, nil, argv, environ)
        guard result == 0 else {
            throw SpireError(.io, "cannot start \(path): \(unsafe String(cString: strerror(result)))")
        }
        return ChildProcess(pid: pid)
    }

    /// Whether it still runs; collects its exit status when it does not.
    var isRunning: Bool {
        ended.withLock { ended in
            if ended != nil { return false }
            var status: Int32 = 0
            guard unsafe waitpid(pid, &status, WNOHANG) == pid else { return true }
            ended = status
            return false
        }
    }

    /// Asks it to end; after `patience`, or when cancelled meanwhile, it is not asked any more.
    func stop(patience: Duration, time: any TimeSource) async {
        guard isRunning else { return }
        kill(pid, SIGTERM)
        let deadline = time.uptime + patience
        while isRunning {
            let cancelled = (try? await time.sleep(for: .milliseconds(20))) == nil
            guard cancelled || time.uptime >= deadline else { continue }
            kill(pid, SIGKILL)
            var status: Int32 = 0
            _ = unsafe waitpid(pid, &status, 0)
            ended.withLock { $0 = status }
        }
    }
}
