// SPDX-License-Identifier: Apache-2.0

import Crypto
import FoundationEssentials
import Groundwork
import ServerRuntime
import Telemetry

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

extension FuzzTarget {
    /// A file of this process, for decoders that read one.
    private static func file(_ name: String, _ bytes: [UInt8]) throws -> String {
        let folder = FileManager.default.fileExists(atPath: "/dev/shm") ? "/dev/shm" : "/tmp"
        let path = "\(folder)/swift-spire-fuzz-\(getpid())-\(name)"
        try Data(bytes).write(to: URL(filePath: path))
        return path
    }

    private static func remove(_ paths: String...) { for path in paths { unlink(path) } }

    private static func number(_ value: Int) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * $0)) } }

    /// The bytes as a whole file, then as a header's line and lines of content, sealed as a backup is: a checksum is no
    /// secret, so whoever can write a file can write one with right checksums.
    static func backup(_ bytes: [UInt8]) throws -> Verdict {
        let name = "backup-\(UInt64.random(in: 0 ... .max))"
        func read(_ bytes: [UInt8]) throws -> Verdict {
            let path = try file(name, bytes)
            defer { remove(path) }
            return try verdict({ try Backup.verify(path, passphrase: nil) }) { summary in
                try promise(!summary.header.holdsPrivateKeys, "keys in the clear")
                let rows = summary.rows.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
                return "\(summary.header.trustDomain): \(rows.joined(separator: ", "))"
            }
        }
        if bytes.starts(with: "swift-spire-backup".utf8) { return try read(bytes) }
        let split = bytes.firstIndex(of: UInt8(ascii: "\n")) ?? bytes.endIndex
        let header = Array(bytes[..<split])
        let content = Array(bytes[min(split + 1, bytes.count)...])
        let digest = Array(SHA256.hash(data: Array(SHA256.hash(data: header)) + [1] + content))
        return try read(
            Array("swift-spire-backup 1\n".utf8) + number(header.count) + header + [1] + number(content.count + 32) + content
                + digest)
    }

    static func audit(_ bytes: [UInt8]) throws -> Verdict {
        let name = "audit-\(UInt64.random(in: 0 ... .max))"
        // A first line that is a state's: the log of a server that remembers where it stood.
        var log = bytes
        var state: String?
        if bytes.starts(with: "swift-spire audit".utf8) {
            let end = min(256, bytes.count)
            state = try file(name + ".state", Array(bytes[..<end]))
            log = Array(bytes[end...])
        }
        let path = try file(name, log)
        defer { remove(path, path + ".state") }
        let odd = try attempt { try AuditVerification.each([path]) { line in
            if line.number < 1 { throw BrokenPromise("a line without a number") }
        } }
        let key = Secret((0..<32).map { UInt8($0) })
        let limits = AuditVerification.Limits(largestFirst: 100_000, slack: 1000)
        let verdict = try verdict({
            try AuditVerification.verify(files: [path], key: key, state: state, limits: limits)
        }) { report in
            if state == nil { try promise(report.keysCalculated <= 102_000, "calculated at too long") }
            try promise(report.problems.allSatisfy { !$0.text.isEmpty && $0.file == path }, "a problem without its place")
            let texts = report.problems.map { "line \($0.line): \($0.text)" }
            return "\(report.lines) lines, \(report.first) to \(report.last); \(texts.joined(separator: "; "))"
        }
        if case .failure(let refusal) = odd { throw BrokenPromise("the lines cannot be listed: \(refusal.text)") }
        switch verdict {
        case .accepted(let text): return .accepted(text.replacing(path, with: "FILE"))
        case .refused(let text): return .refused(text.replacing(path, with: "FILE"))
        }
    }
}
