// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// What this process keeps resident.
package enum ProcessMemory {
    /// Gives back what only starting up needed: program text, which the system maps in generous pieces around each page that
    /// was ever run and finds again in its file cache when it is run again. Costs the text in use a few hundred quick page
    /// faults. Blocks for about a millisecond.
    package static func releaseStartUp() {
        #if os(Linux)
        guard let maps = (try? AtomicFile.read("/proc/self/maps", limit: 1 << 20)) ?? nil else { return }
        for range in programText(maps) {
            guard let start = UnsafeMutableRawPointer(bitPattern: range.lowerBound) else { continue }
            // Text is never written to, so nothing is lost; a failure leaves everything as it is.
            _ = madvise(start, range.count, CInt(MADV_DONTNEED))
        }
        #endif
    }

    /// The address ranges of files that are mapped readable and executable, and nothing else: other mappings of a file may
    /// hold changes that exist nowhere else.
    /// > Spec: proc_pid_maps(5).
    static func programText(_ maps: [UInt8]) -> [Range<UInt>] {
        maps.split(separator: UInt8(ascii: "\n")).compactMap { line in
            let fields = line.split(separator: UInt8(ascii: " "), maxSplits: 5, omittingEmptySubsequences: true)
            // The blanks that align the path are still before it.
            guard fields.count == 6, fields[1].elementsEqual("r-xp".utf8),
                fields[5].first(where: { $0 != UInt8(ascii: " ") }) == UInt8(ascii: "/")
            else { return nil }
            let ends = fields[0].split(separator: UInt8(ascii: "-"))
            guard ends.count == 2, let start = UInt(String(decoding: ends[0], as: UTF8.self), radix: 16),
                let end = UInt(String(decoding: ends[1], as: UTF8.self), radix: 16), start < end
            else { return nil }
            return start..<end
        }
    }
}
