// SPDX-License-Identifier: Apache-2.0

import NIOSSL
import Synchronization
import X509

/// The TLS context of the certificate in use. Asked for each connection; prepared anew only when the certificate changed.
final class ContextCache: Sendable {
    private struct Prepared: Sendable {
        let chain: [Certificate]
        let configuration: TLSConfiguration
        /// `nil` when each connection gets its own.
        let context: NIOSSLContext?
    }

    private let source: (@Sendable () throws -> TLSCertificate)?
    private let isShared: Bool
    private let configure: @Sendable (TLSCertificate?) throws -> TLSConfiguration
    private let last = Mutex<Prepared?>(nil)

    /// - Parameters:
    ///   - source: What to present; `nil` for clients that present nothing.
    ///   - isShared: Whether connections may have one context in common. Servers that verify their clients must not:
    ///     with a ticket made by the same context a client could resume a session, and resumption skips verification.
    init(
        _ source: (@Sendable () throws -> TLSCertificate)?, isShared: Bool,
        configure: @escaping @Sendable (TLSCertificate?) throws -> TLSConfiguration
    ) {
        self.source = source
        self.isShared = isShared
        self.configure = configure
    }

    func context() throws -> NIOSSLContext {
        let certificate = try source?()
        let chain = certificate?.chain ?? []
        let prepared: Prepared
        if let last = last.withLock({ $0 }), last.chain == chain {
            prepared = last
        } else {
            // Two connections may both prepare one here; either will do.
            let configuration = try configure(certificate)
            prepared = Prepared(
                chain: chain, configuration: configuration,
                context: isShared ? try NIOSSLContext(configuration: configuration) : nil)
            last.withLock { $0 = prepared }
        }
        return try prepared.context ?? NIOSSLContext(configuration: prepared.configuration)
    }
}
