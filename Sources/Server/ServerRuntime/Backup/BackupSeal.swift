// SPDX-License-Identifier: Apache-2.0

import Crypto
import CryptoExtras
import FoundationEssentials
import Groundwork

/// Protects a backup's chunks, in order: by a chain of checksums against accidents or, with a passphrase, by
/// authenticated encryption against everybody. Either way a chunk that is changed, missing, repeated or moved is found.
struct BackupSeal {
    /// Bytes a sealed chunk is longer than what is in it, at most.
    static let overhead = 32
    /// Fewest bytes of a passphrase.
    static let shortestPassphrase = 12

    private enum Kind {
        case chain([UInt8])
        case sealed(SymmetricKey)
    }

    private var kind: Kind
    private let header: [UInt8]
    private var count: UInt64 = 0

    /// Derives the key, where there is one. Blocks for as long as that takes.
    /// - Parameter headerBytes: As they stand in the file; they are bound to every chunk.
    /// - Throws: `backup.refused` when a passphrase is needed or too short.
    init(_ header: BackupHeader, headerBytes: [UInt8], passphrase: Secret<[UInt8]>?) throws {
        self.header = Array(SHA256.hash(data: headerBytes))
        guard let derivation = header.derivation else {
            kind = .chain(self.header)
            return
        }
        guard let passphrase else {
            throw BackupFailure.refused(
                "the backup is encrypted; give its passphrase by -passphraseFile or \(Backup.passphraseVariable)")
        }
        kind = .sealed(
            try passphrase.reveal { bytes in
                guard bytes.count >= Self.shortestPassphrase else {
                    throw BackupFailure.refused("a passphrase has at least \(Self.shortestPassphrase) bytes")
                }
                do {
                    return try KDF.Scrypt.deriveKey(
                        from: bytes, salt: derivation.salt, outputByteCount: 32, rounds: derivation.n,
                        blockSize: derivation.r, parallelism: derivation.p)
                } catch {
                    throw BackupFailure.refused("the key cannot be derived from the passphrase as the backup says")
                }
            })
    }

    mutating func seal(_ data: [UInt8], isLast: Bool) throws -> [UInt8] {
        defer { count += 1 }
        switch kind {
        case .chain(let previous):
            let digest = Self.digest(previous, data, isLast)
            kind = .chain(digest)
            return data + digest
        case .sealed(let key):
            let box = try AES.GCM.seal(
                data, using: key, nonce: AES.GCM.Nonce(data: nonce), authenticating: context(isLast))
            return [UInt8](box.ciphertext) + [UInt8](box.tag)
        }
    }

    /// - Throws: `backup.damaged`.
    mutating func open(_ chunk: [UInt8], isLast: Bool) throws -> [UInt8] {
        defer { count += 1 }
        switch kind {
        case .chain(let previous):
            guard chunk.count >= 32 else { throw BackupFailure.damaged("a part is too short") }
            let data = Array(chunk.dropLast(32))
            let digest = Self.digest(previous, data, isLast)
            guard digest == Array(chunk.suffix(32)) else { throw BackupFailure.damaged("a checksum is wrong") }
            kind = .chain(digest)
            return data
        case .sealed(let key):
            guard chunk.count >= 16,
                let nonce = try? AES.GCM.Nonce(data: nonce),
                let box = try? AES.GCM.SealedBox(
                    nonce: nonce, ciphertext: chunk.dropLast(16), tag: chunk.suffix(16)),
                let data = try? AES.GCM.open(box, using: key, authenticating: context(isLast))
            else {
                throw BackupFailure.damaged(
                    count == 0 ? "the passphrase is another, or the file was altered" : "a part was altered")
            }
            return [UInt8](data)
        }
    }

    private static func digest(_ previous: [UInt8], _ data: [UInt8], _ isLast: Bool) -> [UInt8] {
        var hash = SHA256()
        hash.update(data: previous)
        hash.update(data: [isLast ? 1 : 0])
        hash.update(data: data)
        return Array(hash.finalize())
    }

    /// Never twice with one key: the key is the file's own, by its salt.
    private var nonce: [UInt8] { [0, 0, 0, 0] + Self.bytes(count) }

    private func context(_ isLast: Bool) -> [UInt8] { header + [isLast ? 1 : 0] + Self.bytes(count) }

    private static func bytes(_ number: UInt64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: number >> (56 - 8 * $0)) }
    }
}
