// SPDX-License-Identifier: Apache-2.0

import Crypto
import Groundwork

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Where an audit log's chain stands, in a file only the server reads: so that the end of a log cannot be cut off
/// unnoticed, and so that the chain goes on after a restart. Always the same size, written in place after each line.
struct AuditStateFile: Sendable {
    private static let size = 256
    private static let magic = "swift-spire audit 1 "

    let path: String
    private let descriptor: Int32

    /// - Returns: the file and what it says; `nil` when there is none.
    /// - Throws: `io` when it cannot be opened or is damaged.
    static func open(_ path: String) throws -> (file: AuditStateFile, chain: AuditChain)? {
        guard let bytes = try AtomicFile.read(path, limit: 4096) else { return nil }
        guard let chain = parse(bytes) else {
            throw SpireError(
                .io,
                "the audit log's state \(path) is damaged; move it and the audit log away to begin a new chain, and keep both for inspection"
            )
        }
        return (try AuditStateFile(path), chain)
    }

    static func create(_ path: String, _ chain: AuditChain) throws -> AuditStateFile {
        try AtomicFile.write(encode(chain), to: path, mode: 0o600)
        return try AuditStateFile(path)
    }

    /// What a state file says, for those who verify.
    static func read(_ path: String) throws -> AuditChain? {
        guard let bytes = try AtomicFile.read(path, limit: 4096) else { return nil }
        guard let chain = parse(bytes) else { throw SpireError(.io, "the audit log's state \(path) is damaged") }
        return chain
    }

    private init(_ path: String) throws {
        self.path = path
        #if canImport(Glibc)
        descriptor = Glibc.open(path, O_RDWR | O_CLOEXEC)
        #elseif canImport(Musl)
        descriptor = Musl.open(path, O_RDWR | O_CLOEXEC)
        #else
        descriptor = Darwin.open(path, O_RDWR | O_CLOEXEC)
        #endif
        guard descriptor >= 0 else {
            throw SpireError(.io, "cannot open the audit log's state \(path): \(String(cString: strerror(errno)))")
        }
    }

    /// - Returns: whether it was written.
    func write(_ chain: AuditChain) -> Bool {
        let bytes = Self.encode(chain)
        return bytes.withUnsafeBytes { pwrite(descriptor, $0.baseAddress, $0.count, 0) } == bytes.count
    }

    func closeFile() { _ = close(descriptor) }

    private static func encode(_ chain: AuditChain) -> [UInt8] {
        var text = "\(magic)\(chain.number) \(chain.seal) \(AuditChain.hex(chain.key)) "
        text += AuditChain.hex(Array(SHA256.hash(data: Array(text.utf8))).prefix(8).map { $0 })
        let bytes = Array(text.utf8)
        return bytes + [UInt8](repeating: UInt8(ascii: " "), count: size - 1 - bytes.count) + [UInt8(ascii: "\n")]
    }

    private static func parse(_ bytes: [UInt8]) -> AuditChain? {
        let text = String(decoding: bytes, as: UTF8.self)
        guard text.hasPrefix(magic) else { return nil }
        let words = text.dropFirst(magic.count).split(separator: " ")
        // Hexadecimal, not just of 64 letters: letters of several bytes would not fit into the file they are compared with.
        guard words.count >= 4, let number = Int(words[0]), number >= 0, AuditChain.bytes(words[1], count: 32) != nil,
            let key = AuditChain.bytes(words[2], count: AuditChain.keySize)
        else { return nil }
        let chain = AuditChain(number: number, seal: String(words[1]), key: key)
        return encode(chain) == bytes ? chain : nil
    }
}
