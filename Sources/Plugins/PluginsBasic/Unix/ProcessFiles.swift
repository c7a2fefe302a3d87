// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif
import Crypto
import Groundwork

/// Reads what `/proc` says about one process. Every call blocks and is bounded.
struct ProcessFiles: Sendable {
    let root: String
    let pid: Int32

    private func path(_ name: String) -> String { "\(root)/\(pid)/\(name)" }

    /// `/proc/<pid>/status`, at most 1 MiB (65,536 groups of up to 11 bytes, and some).
    func status() throws -> [UInt8] {
        let descriptor = open(path("status"), O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure("open", "status") }
        defer { close(descriptor) }
        var out: [UInt8] = []
        while out.count <= 1 << 20 {
            let chunk = [UInt8](unsafeUninitializedCapacity: 4096) { buffer, count in
                count = max(0, read(descriptor, buffer.baseAddress, buffer.count))
            }
            if chunk.isEmpty { break }
            if out.isEmpty { out = chunk } else { out.append(contentsOf: chunk) }
        }
        // A process that ended between opening and reading leaves an empty file.
        guard !out.isEmpty else { throw SpireError(.notFound, "process \(pid) has ended") }
        return out
    }

    /// Where `/proc/<pid>/exe` leads, in the process's own view of the file system.
    func executablePath() throws -> String {
        let bytes = [UInt8](unsafeUninitializedCapacity: 4097) { buffer, count in
            count = buffer.baseAddress.map { max(0, readlink(path("exe"), $0, buffer.count)) } ?? 0
        }
        guard !bytes.isEmpty else { throw failure("read the link", "exe") }
        guard bytes.count <= 4096 else { throw SpireError(.io, "\(path("exe")): the path is longer than 4096 bytes") }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// SHA-256 of the program a process runs, read through `/proc/<pid>/exe` so that a replaced file does not matter.
    /// - Parameter limit: Most bytes of the program; 0 for no limit.
    func executableDigest(limit: Int64, name: String) throws -> String {
        let descriptor = open(path("exe"), O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure("open", "exe") }
        defer { close(descriptor) }
        var info = stat()
        guard fstat(descriptor, &info) == 0 else { throw failure("examine", "exe") }
        guard limit == 0 || Int64(info.st_size) <= limit else {
            throw SpireError(.invalid, "workload \(name) exceeds size limit (\(info.st_size) > \(limit))")
        }
        var hash = SHA256()
        var chunk = [UInt8](repeating: 0, count: 128 << 10)
        var total: Int64 = 0
        while true {
            let count = read(descriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw failure("read", "exe") }
            if count == 0 { break }
            total += Int64(count)
            // The file may grow while it is read.
            guard limit == 0 || total <= limit else {
                throw SpireError(.invalid, "workload \(name) exceeds size limit (\(total) > \(limit))")
            }
            chunk.withUnsafeBytes { hash.update(bufferPointer: UnsafeRawBufferPointer(rebasing: $0[..<count])) }
        }
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: hash.finalize().flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    private func failure(_ verb: String, _ name: String) -> SpireError {
        SpireError(.io, "cannot \(verb) \(path(name)): \(String(cString: strerror(errno)))")
    }
}
