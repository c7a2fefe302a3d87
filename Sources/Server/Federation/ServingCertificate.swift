// SPDX-License-Identifier: Apache-2.0

package import Groundwork
package import Logging
import Synchronization
import Web
package import Wire

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A web certificate and its key in two files, read anew when either changes. What cannot be read changes nothing.
package final class ServingCertificate: Sendable {
    /// What tells that a file changed.
    private struct Stamp: Sendable, Hashable {
        let seconds: Int
        let nanoseconds: Int
        let size: Int64
        let inode: UInt64
    }

    private struct Current: Sendable {
        let identity: TLSIdentity
        let stamps: [Stamp?]
    }

    private let certificatePath: String
    private let keyPath: String
    private let interval: Duration
    private let lane: BlockingLane
    private let time: any TimeSource
    private let logger: Logger
    private let current: Mutex<Current>

    private init(
        _ certificatePath: String, _ keyPath: String, _ interval: Duration, _ current: Current, _ lane: BlockingLane,
        _ time: any TimeSource, _ logger: Logger
    ) {
        self.certificatePath = certificatePath
        self.keyPath = keyPath
        self.interval = interval
        self.current = Mutex(current)
        self.lane = lane
        self.time = time
        self.logger = logger
    }

    /// Reads both files.
    /// - Parameter interval: Between looks at the files.
    /// - Throws: `federation.endpoint_certificate`, naming the file.
    package static func open(
        certificatePath: String, keyPath: String, interval: Duration, lane: BlockingLane, time: any TimeSource,
        logger: Logger
    ) async throws -> ServingCertificate {
        let current = try await lane.run { try read(certificatePath, keyPath) }
        return ServingCertificate(certificatePath, keyPath, interval, current, lane, time, logger)
    }

    /// What to show now.
    package var identity: TLSIdentity { current.withLock { $0.identity } }

    /// Looks at the files again and again until cancelled.
    package func run() async {
        while !Task.isCancelled {
            do {
                try await time.sleep(for: interval)
            } catch {
                return
            }
            await reload()
        }
    }

    /// Takes over changed files. A failure is logged, and what there was goes on being shown.
    package func reload() async {
        let known = current.withLock { $0.stamps }
        let paths = (certificatePath, keyPath)
        do {
            let next = try await lane.run { () -> Current? in
                guard Self.stamps(paths.0, paths.1) != known else { return nil }
                return try Self.read(paths.0, paths.1)
            }
            guard let next else { return }
            current.withLock { $0 = next }
            logger.info("File changed, certificate reloaded", metadata: ["cert_file_path": "\(paths.0)"])
        } catch {
            logger.error("Failed to load certificate", metadata: [LogKey.error: "\(error)"])
        }
    }

    private static func read(_ certificatePath: String, _ keyPath: String) throws -> Current {
        // The stamps are those of before: a file that changes while it is read is read again.
        let stamps = stamps(certificatePath, keyPath)
        do {
            return Current(
                identity: try WebTLS.files(certificate: certificatePath, key: keyPath), stamps: stamps)
        } catch {
            throw SpireError(.endpointCertificate, "failed to load certificate: \(error)")
        }
    }

    private static func stamps(_ paths: String...) -> [Stamp?] {
        paths.map { path in
            var status = stat()
            guard unsafe stat(path, &status) == 0 else { return nil }
            #if canImport(Darwin)
            let changed = status.st_mtimespec
            #else
            let changed = status.st_mtim
            #endif
            return Stamp(
                seconds: Int(changed.tv_sec), nanoseconds: Int(changed.tv_nsec), size: Int64(status.st_size),
                inode: UInt64(status.st_ino))
        }
    }
}
