// SPDX-License-Identifier: Apache-2.0

import Authority
import FoundationEssentials
import Groundwork
import Issuance
import Logging
import ServiceLifecycle
import Synchronization
import Telemetry
import Wire

/// Keeps the server's own certificate valid: issued at start, replaced after half of its lifetime, or when an authority
/// it hangs from was tainted. The key never leaves this process.
final class ServerSVIDRotator: Service {
    private struct Current {
        let identity: TLSIdentity
        let issuedAt: Date
        let rotateAt: Date
        /// Hex key IDs of the authorities the chain hangs from.
        let authorities: Set<String>
    }

    static let interval: Duration = .seconds(5)
    /// How many seconds before its issuance a certificate's validity begins.
    private static let backdating = 10.0

    private let issuer: any SVIDIssuer
    /// Hex subject key IDs of authorities that are no longer to be trusted.
    private let tainted: Watch<Set<String>>
    private let keyType: KeyType
    private let lane: BlockingLane
    private let time: any TimeSource
    private let logger: Logger
    private let rotations: CallCounter
    private let current = Mutex<Current?>(nil)

    init(
        issuer: any SVIDIssuer, tainted: Watch<Set<String>> = Watch([]), keyType: KeyType, lane: BlockingLane,
        time: any TimeSource, logger: Logger, rotations: CallCounter = .off
    ) {
        self.issuer = issuer
        self.tainted = tainted
        self.keyType = keyType
        self.lane = lane
        self.time = time
        self.logger = logger
        self.rotations = rotations
    }

    /// The certificate and key to show now; `nil` before the first `rotate`.
    var identity: TLSIdentity? { current.withLock { $0?.identity } }

    /// DER of the present certificate's chain, leaf first.
    var chain: [[UInt8]] { identity?.chain ?? [] }

    func run() async throws {
        try? await cancelWhenGracefulShutdown { [self] in
            while !Task.isCancelled {
                try await time.sleep(for: Self.interval)
                do {
                    try await rotateIfDue()
                } catch is CancellationError {
                    return
                } catch {
                    logger.error("Could not rotate server SVID", metadata: [LogKey.error: "\(error)"])
                }
            }
        }
        logger.debug("Stopping SVID rotator")
    }

    /// Replaces the certificate if half of its lifetime is over, if it hangs from a tainted authority, if the clock that
    /// dated it was ahead so that nobody accepts it yet, or if there is none.
    func rotateIfDue() async throws {
        if let current = current.withLock({ $0 }), time.now < current.rotateAt,
            time.now >= current.issuedAt.addingTimeInterval(-Self.backdating)
        {
            guard !current.authorities.isDisjoint(with: tainted.value) else { return }
            logger.info("Server SVID hangs from a tainted authority and is replaced")
        }
        try await rotate()
    }

    /// Replaces the certificate now.
    func rotate() async throws { try await rotations.measure(time) { try await replace() } }

    private func replace() async throws {
        logger.debug("Rotating server SVID")
        let type = keyType
        // RSA keys take long to make.
        let key = try await LocalKey.generate(type, on: lane)
        let issuedAt = time.now
        let svid = try await issuer.serverX509SVID(publicKey: key.publicKey)
        logger.debug(
            "Signed X509 SVID",
            metadata: [
                LogKey.spiffeID: "\(svid.id)",
                LogKey.expiration: "\(CivilTime(unix: Int64(svid.expiresAt.timeIntervalSince1970)).rfc3339)",
            ])
        let half = svid.expiresAt.timeIntervalSince(issuedAt) / 2
        let identity = TLSIdentity(chain: svid.chain, key: .local(pkcs8: key.pkcs8))
        let authorities = Set(
            svid.chain.compactMap { try? CertificateSummary($0) }.map { Hex.text($0.authorityKeyID) })
        current.withLock {
            $0 = Current(
                identity: identity, issuedAt: issuedAt, rotateAt: issuedAt.addingTimeInterval(half), authorities: authorities)
        }
    }
}
