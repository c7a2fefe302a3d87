// SPDX-License-Identifier: Apache-2.0

import NIOSSL
import Synchronization
import X509

/// The TLS context of the certificate in use. Asked for each connection; built anew only when the certificate changed.
final class ContextCache: Sendable {
    private let source: (@Sendable () throws -> TLSCertificate)?
    private let build: @Sendable (TLSCertificate?) throws -> NIOSSLContext
    private let last = Mutex<(chain: [Certificate], context: NIOSSLContext)?>(nil)

    /// - Parameter source: What to present; `nil` for clients that present nothing.
    init(
        _ source: (@Sendable () throws -> TLSCertificate)?,
        build: @escaping @Sendable (TLSCertificate?) throws -> NIOSSLContext
    ) {
        self.source = source
        self.build = build
    }

    func context() throws -> NIOSSLContext {
        let certificate = try source?()
        let chain = certificate?.chain ?? []
        if let last = last.withLock({ $0 }), last.chain == chain { return last.context }
        // Two connections may both build one here; either will do.
        let context = try build(certificate)
        last.withLock { $0 = (chain, context) }
        return context
    }
}
