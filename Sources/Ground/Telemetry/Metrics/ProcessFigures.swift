// SPDX-License-Identifier: Apache-2.0

import Groundwork

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// What the operating system knows about this process, under the names Prometheus' client libraries use.
///
/// Reads `/proc`, which may block: for a lane of blocking calls only. Empty where there is no `/proc`.
package enum ProcessFigures {
    package static func prometheus() -> [(name: String, kind: String, help: String, value: Double)] {
        var out: [(name: String, kind: String, help: String, value: Double)] = []
        if let stat = fields("/proc/self/stat"), stat.count > 21 {
            let ticks = Double(max(1, sysconf(Int32(_SC_CLK_TCK))))
            if let user = Double(stat[11]), let system = Double(stat[12]) {
                out.append(
                    (
                        "process_cpu_seconds_total", "counter", "Total user and system CPU time spent in seconds.",
                        (user + system) / ticks
                    ))
            }
            if let start = Double(stat[19]), let boot = bootTime() {
                out.append(
                    (
                        "process_start_time_seconds", "gauge", "Start time of the process since unix epoch in seconds.",
                        boot + start / ticks
                    ))
            }
        }
        if let memory = memory() {
            out.append(("process_resident_memory_bytes", "gauge", "Resident memory size in bytes.", memory.resident))
            out.append(("process_virtual_memory_bytes", "gauge", "Virtual memory size in bytes.", memory.virtual))
        }
        if let open = openFiles() {
            out.append(("process_open_fds", "gauge", "Number of open file descriptors.", Double(open)))
        }
        var limit = rlimit()
        #if canImport(Glibc)
        let got = getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        #else
        let got = getrlimit(RLIMIT_NOFILE, &limit)
        #endif
        if got == 0 {
            out.append(
                ("process_max_fds", "gauge", "Maximum number of open file descriptors.", Double(limit.rlim_cur)))
        }
        return out.sorted { $0.name < $1.name }
    }

    /// Bytes of memory of this process.
    static func memory() -> (resident: Double, virtual: Double)? {
        guard let text = read("/proc/self/statm") else { return nil }
        let numbers = text.split(separator: " ").compactMap { Double($0.trimmingLineEnd) }
        guard numbers.count >= 2 else { return nil }
        let page = Double(sysconf(Int32(_SC_PAGESIZE)))
        return (numbers[1] * page, numbers[0] * page)
    }

    /// Fields of `stat` after the program's name, which may hold anything.
    private static func fields(_ path: String) -> [Substring]? {
        guard let text = read(path), let end = text.lastIndex(of: ")") else { return nil }
        return text[text.index(after: end)...].split(separator: " ")
    }

    private static func bootTime() -> Double? {
        read("/proc/stat")?.split(separator: "\n").first { $0.hasPrefix("btime ") }
            .flatMap { Double($0.dropFirst(6)) }
    }

    private static func openFiles() -> Int? {
        guard let directory = opendir("/proc/self/fd") else { return nil }
        defer { closedir(directory) }
        var count = 0
        while let entry = readdir(directory) {
            if entry.pointee.d_name.0 != CChar(UInt8(ascii: ".")) { count += 1 }
        }
        // The directory itself is one of them.
        return max(0, count - 1)
    }

    private static func read(_ path: String) -> String? {
        (try? AtomicFile.read(path, limit: 1 << 20)).flatMap { $0 }.map { String(decoding: $0, as: UTF8.self) }
    }

    /// This machine's name.
    package static func hostName() -> String {
        var buffer = [CChar](repeating: 0, count: 256)
        guard gethostname(&buffer, buffer.count - 1) == 0 else { return "localhost" }
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

extension Substring {
    fileprivate var trimmingLineEnd: Substring { last == "\n" ? dropLast() : self }
}
