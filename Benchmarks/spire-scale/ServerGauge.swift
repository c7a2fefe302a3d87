// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Reads what the server's process has used, and how many statements it has sent to its database.
///
/// Statements are counted as lines of the server's own log (`log_sql = true`, level debug), which any server of this
/// protocol that logs them so can be counted by.
struct ServerGauge: Sendable {
    let process: Int
    let sqlLog: String

    /// What separates a line about a statement from others.
    private static let mark = Array("SQL statement".utf8)

    /// CPU seconds used so far, all threads.
    var cpu: Double {
        // Nanoseconds in the scheduler's account, summed over threads; clock ticks where there is none.
        guard process > 0, let stat = read("/proc/\(process)/stat"), let end = stat.lastIndex(of: ")") else { return 0 }
        let fields = stat[stat.index(after: end)...].split(separator: " ")
        guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else { return 0 }
        return (user + system) / Double(max(1, sysconf(Int32(_SC_CLK_TCK))))
    }

    /// Resident and largest resident size in megabytes (MiB).
    var memory: (now: Double, most: Double) {
        guard process > 0, let status = read("/proc/\(process)/status") else { return (0, 0) }
        func kilobytes(_ name: String) -> Double {
            let line = status.split(separator: "\n").first { $0.hasPrefix(name + ":") }
            return line?.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first.flatMap { Double($0) } ?? 0
        }
        return (kilobytes("VmRSS") / 1024, kilobytes("VmHWM") / 1024)
    }

    /// Bytes of the log so far: where a count begins.
    var logPosition: Int {
        let file = open(sqlLog, O_RDONLY)
        guard file >= 0 else { return 0 }
        defer { close(file) }
        return Int(lseek(file, 0, Int32(SEEK_END)))
    }

    /// Statements logged after `position`.
    func statements(after position: Int) -> Int {
        guard let text = bytes(sqlLog, from: position) else { return 0 }
        var count = 0
        for line in text.split(separator: UInt8(ascii: "\n")) where Self.contains(line, Self.mark) { count += 1 }
        return count
    }

    private static func contains(_ line: ArraySlice<UInt8>, _ mark: [UInt8]) -> Bool {
        guard line.count >= mark.count else { return false }
        for start in line.startIndex...(line.endIndex - mark.count)
        where line[start] == mark[0] && line[start..<start + mark.count].elementsEqual(mark) { return true }
        return false
    }

    private func read(_ path: String) -> String? { bytes(path, from: 0).map { String(decoding: $0, as: UTF8.self) } }

    private func bytes(_ path: String, from position: Int) -> [UInt8]? {
        let file = open(path, O_RDONLY)
        guard file >= 0 else { return nil }
        defer { close(file) }
        lseek(file, off_t(position), Int32(SEEK_SET))
        var all: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while all.count < 512 << 20 {
            let count = buffer.withUnsafeMutableBytes { readSome(file, $0.baseAddress, $0.count) }
            if count <= 0 { break }
            all.append(contentsOf: buffer[..<count])
        }
        return all
    }

    private func readSome(_ file: Int32, _ base: UnsafeMutableRawPointer?, _ count: Int) -> Int {
        #if canImport(Glibc)
        Glibc.read(file, base, count)
        #elseif canImport(Musl)
        Musl.read(file, base, count)
        #else
        Darwin.read(file, base, count)
        #endif
    }
}

/// Raises the soft limit of open files to the hard one. - Returns: the limit.
func raiseOpenFiles() -> Int {
    var limit = rlimit()
    #if canImport(Glibc)
    let kind = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    #else
    let kind = RLIMIT_NOFILE
    #endif
    guard getrlimit(kind, &limit) == 0 else { return 0 }
    limit.rlim_cur = limit.rlim_max
    _ = setrlimit(kind, &limit)
    return Int(clamping: limit.rlim_cur)
}
