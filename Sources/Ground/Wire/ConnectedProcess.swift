// SPDX-License-Identifier: Apache-2.0

import CPeerCredentials
import Groundwork
import NIOCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The process at the other end of a Unix socket, held by a process descriptor for as long as anybody refers to it, so
/// that a process which later gets the same pid is never taken for it.
package final class ConnectedProcess: UnixPeer {
    package let pid: Int32
    package let uid: UInt32
    package let gid: UInt32
    private let descriptor: Int32

    /// Takes ownership of `descriptor`.
    init(pid: Int32, uid: UInt32, gid: UInt32, descriptor: Int32) {
        self.pid = pid
        self.uid = uid
        self.gid = gid
        self.descriptor = descriptor
    }

    /// Opens a process by its number; the caller knows by other means that it is the right one.
    convenience init?(opening pid: Int32, uid: UInt32, gid: UInt32) {
        let descriptor = spire_pidfd_open(pid)
        guard descriptor >= 0 else { return nil }
        self.init(pid: pid, uid: uid, gid: gid, descriptor: descriptor)
    }

    deinit { close(descriptor) }

    package var isAlive: Bool { spire_pidfd_probe(descriptor) == 0 }

    /// `struct ucred` of Linux.
    private struct Credentials {
        var pid: Int32 = 0
        var uid: UInt32 = 0
        var gid: UInt32 = 0
    }

    /// SO_PEERPIDFD; not in the headers of older systems.
    private static let peerPIDFD: CInt = 77

    /// Finds out who connected. Call it on the channel's event loop, right after accept.
    /// - Throws: `wire.unknown_caller`, among others for a caller in a PID namespace we cannot see (pid 0).
    static func onTheOtherEnd(of channel: any Channel) throws -> ConnectedProcess {
        guard let options = channel as? any SocketOptionProvider else {
            throw SpireError(.unknownCaller, "could not resolve caller information: not a socket")
        }
        let credentials: Credentials = try now(options, SO_PEERCRED)
        guard credentials.pid > 0 else { throw SpireError(.unknownCaller, "could not resolve caller information") }
        let descriptor: CInt
        do {
            descriptor = try now(options, peerPIDFD)
        } catch let error as IOError where error.errnoCode == ENOPROTOOPT {
            descriptor = try byNumber(credentials)
        } catch let error as IOError {
            throw SpireError(
                .unknownCaller, "could not resolve caller information: \(String(cString: strerror(error.errnoCode)))")
        }
        return ConnectedProcess(
            pid: credentials.pid, uid: credentials.uid, gid: credentials.gid, descriptor: descriptor)
    }

    /// NIO answers at once on the loop itself; the future is never left waiting.
    private static func now<Value: Sendable>(_ options: any SocketOptionProvider, _ name: CInt) throws -> Value {
        var result: Result<Value, any Error>?
        let future: EventLoopFuture<Value> = options.unsafeGetSocketOption(
            level: SocketOptionLevel(SOL_SOCKET), name: SocketOptionName(name))
        future.assumeIsolated().whenComplete { result = $0 }
        guard let result else { throw SpireError(.unknownCaller, "could not resolve caller information") }
        return try result.get()
    }

    /// For kernels before 6.5: opens the pid and checks that what has it now can be what connected: same user and
    /// group, and started before the connection was accepted.
    private static func byNumber(_ credentials: Credentials) throws -> ConnectedProcessDescriptor {
        let accepted = spire_boot_centiseconds()
        let descriptor = spire_pidfd_open(credentials.pid)
        guard descriptor >= 0 else {
            throw SpireError(
                .unknownCaller, "could not resolve caller information: \(String(cString: strerror(-descriptor)))")
        }
        do {
            var status = stat()
            guard stat("/proc/\(credentials.pid)", &status) == 0, status.st_uid == credentials.uid,
                status.st_gid == credentials.gid
            else { throw SpireError(.unknownCaller, "could not resolve caller information: the caller has changed") }
            let line = try AtomicFile.read("/proc/\(credentials.pid)/stat", limit: 64 << 10) ?? []
            guard let started = ProcessStat.startTime(line), started <= UInt64(max(0, accepted)),
                spire_pidfd_probe(descriptor) == 0
            else { throw SpireError(.unknownCaller, "could not resolve caller information: the caller has changed") }
            return descriptor
        } catch {
            close(descriptor)
            throw error
        }
    }
}

private typealias ConnectedProcessDescriptor = CInt

/// The kernel's one-line description of a process.
enum ProcessStat {
    /// Field 22, the start time in clock ticks since boot (a hundred a second on every Linux).
    ///
    /// The second field is the program's name in parentheses and may itself hold spaces and parentheses, so fields are
    /// counted from the last closing one.
    static func startTime(_ line: [UInt8]) -> UInt64? {
        guard let end = line.lastIndex(of: UInt8(ascii: ")")) else { return nil }
        let fields = line[(end + 1)...].split(separator: UInt8(ascii: " "), omittingEmptySubsequences: true)
        guard fields.count > 19 else { return nil }
        return UInt64(String(decoding: fields[19], as: UTF8.self))
    }
}
