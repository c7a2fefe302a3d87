// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif
import Groundwork
import Synchronization

/// Names of users or groups by number. The local file is kept in memory until it changes; who is not in it is asked of
/// the system's name service, each time.
final class NameDatabase: Sendable {
    enum Kind: Sendable {
        case users
        case groups
    }

    private struct FileMark: Equatable {
        var inode: UInt64 = 0
        var size: Int64 = -1
        var seconds: Int = 0
        var nanoseconds: Int = 0
    }

    private struct State {
        var mark = FileMark()
        var names: [UInt32: String] = [:]
    }

    /// Larger files are left to the name service.
    private static let maximumSize = 16 << 20
    private let kind: Kind
    private let path: String
    private let state = Mutex(State())

    /// - Parameter path: In the format of `passwd(5)` or `group(5)`.
    init(_ kind: Kind, path: String) {
        self.kind = kind
        self.path = path
    }

    /// The name, or `nil` when nobody has this number. Blocks.
    func name(_ id: UInt32) -> String? {
        let known = state.withLock { state -> String? in
            refresh(&state)
            return state.names[id]
        }
        return known ?? askSystem(id)
    }

    /// The names of `ids` if the file, read before and unchanged since, has them all; `nil` when `name` must be asked. Does
    /// not block.
    func namesNow(_ ids: [UInt32]) -> [String]? {
        state.withLock { state in
            guard let mark = currentMark(), mark == state.mark else { return nil }
            var names: [String] = []
            names.reserveCapacity(ids.count)
            for id in ids {
                guard let name = state.names[id] else { return nil }
                names.append(name)
            }
            return names
        }
    }

    private func currentMark() -> FileMark? {
        var info = stat()
        guard stat(path, &info) == 0 else { return nil }
        #if canImport(Darwin)
        let modified = info.st_mtimespec
        #else
        let modified = info.st_mtim
        #endif
        return FileMark(
            inode: UInt64(info.st_ino), size: Int64(info.st_size), seconds: Int(modified.tv_sec),
            nanoseconds: Int(modified.tv_nsec))
    }

    private func refresh(_ state: inout State) {
        guard let mark = currentMark() else {
            state = State()
            return
        }
        guard mark != state.mark else { return }
        state.mark = mark
        state.names = [:]
        guard let text = (try? AtomicFile.read(path, limit: Self.maximumSize)) ?? nil else { return }
        state.names = Self.parse(text)
    }

    /// `name:password:number:…` a line; the first line with a number wins, as in the system's own lookup.
    static func parse(_ text: [UInt8]) -> [UInt32: String] {
        var names: [UInt32: String] = [:]
        for line in text.split(separator: UInt8(ascii: "\n")) {
            let fields = line.split(separator: UInt8(ascii: ":"), maxSplits: 3, omittingEmptySubsequences: false)
            guard fields.count >= 3, !fields[0].isEmpty, fields[0].first != UInt8(ascii: "#"),
                let id = UInt32(String(decoding: fields[2], as: UTF8.self)), names[id] == nil
            else { continue }
            names[id] = String(decoding: fields[0], as: UTF8.self)
        }
        return names
    }

    private func askSystem(_ id: UInt32) -> String? {
        // Groups with many members need room; the call says ERANGE until there is enough.
        var room = 16 << 10
        while room <= 4 << 20 {
            var buffer = [CChar](repeating: 0, count: room)
            let (status, name) = lookUp(id, &buffer)
            if status == 0 { return name }
            guard status == ERANGE else { return nil }
            room *= 4
        }
        return nil
    }

    private func lookUp(_ id: UInt32, _ buffer: inout [CChar]) -> (Int32, String?) {
        switch kind {
        case .users:
            var record = passwd()
            var found: UnsafeMutablePointer<passwd>?
            let status = getpwuid_r(id, &record, &buffer, buffer.count, &found)
            return (status, found.flatMap { $0.pointee.pw_name.map { String(cString: $0) } })
        case .groups:
            var record = group()
            var found: UnsafeMutablePointer<group>?
            let status = getgrgid_r(id, &record, &buffer, buffer.count, &found)
            return (status, found.flatMap { $0.pointee.gr_name.map { String(cString: $0) } })
        }
    }
}
