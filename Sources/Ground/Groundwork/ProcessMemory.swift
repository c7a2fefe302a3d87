// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// What this process keeps resident.
package enum ProcessMemory {
    /// Gives back what only starting up needed: pages of program files, which the system maps in generous pieces around each
    /// one that was ever touched and finds again in its file cache when it is touched again. Costs the pages in use a few
    /// hundred quick page faults. Blocks for a few milliseconds.
    package static func releaseStartUp() {
        #if os(Linux)
        guard let maps = (try? AtomicFile.read("/proc/self/smaps", limit: 1 << 20)) ?? nil else { return }
        for range in untouchedFiles(maps) {
            guard let start = UnsafeMutableRawPointer(bitPattern: range.lowerBound) else { continue }
            // These pages are as their files have them, so nothing is lost; a failure leaves everything as it is.
            _ = madvise(start, range.count, CInt(MADV_DONTNEED))
        }
        #endif
    }

    /// The address ranges of files that are mapped privately, cannot be written to, and hold nothing but what is in the file:
    /// no address the loader has filled in, no breakpoint of a debugger. Other mappings may hold what exists nowhere else.
    /// > Spec: proc_pid_smaps(5).
    static func untouchedFiles(_ maps: [UInt8]) -> [Range<UInt>] {
        var found: [Range<UInt>] = []
        var candidate: Range<UInt>?
        for line in maps.split(separator: UInt8(ascii: "\n")) {
            let fields = line.split(separator: UInt8(ascii: " "), maxSplits: 5, omittingEmptySubsequences: true)
            guard let first = fields.first else { continue }
            if first.last != UInt8(ascii: ":") {
                candidate = file(fields)
            } else if first.elementsEqual("Anonymous:".utf8) {
                // The one line that says so; a system that does not write it gets nothing back.
                if let candidate, fields.count == 3, fields[1].elementsEqual("0".utf8) { found.append(candidate) }
                candidate = nil
            }
        }
        return found
    }

    /// The range of a mapping's first line if it is a file's, private and not writable.
    private static func file(_ fields: [ArraySlice<UInt8>]) -> Range<UInt>? {
        // The blanks that align the path are still before it.
        guard fields.count == 6, fields[1].elementsEqual("r-xp".utf8) || fields[1].elementsEqual("r--p".utf8),
            fields[5].first(where: { $0 != UInt8(ascii: " ") }) == UInt8(ascii: "/")
        else { return nil }
        let ends = fields[0].split(separator: UInt8(ascii: "-"))
        guard ends.count == 2, let start = UInt(String(decoding: ends[0], as: UTF8.self), radix: 16),
            let end = UInt(String(decoding: ends[1], as: UTF8.self), radix: 16), start < end
        else { return nil }
        return start..<end
    }
}
