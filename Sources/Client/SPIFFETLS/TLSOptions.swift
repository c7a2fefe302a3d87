// SPDX-License-Identifier: Apache-2.0

public import FoundationEssentials
public import NIOCore
import NIOSSL

/// What connections have in common beyond identities.
public struct TLSOptions: Sendable {
    /// ALPN names in order of preference, such as `h2`; none by default.
    public var applicationProtocols: [String] = []
    /// Refuses TLS 1.2 when set. Nothing older is ever spoken.
    public var requiresTLS13 = false
    /// How long a handshake may take before the connection is closed.
    public var handshakeTimeout: TimeAmount = .seconds(20)
    /// The wall clock certificates are judged by.
    public var now: @Sendable () -> Date = { Date() }

    public init() {}

    /// The options of a connection without trust roots of its own: verification is ours alone, and reading the
    /// machine's root store would only take time.
    func configure(_ configuration: inout TLSConfiguration) {
        configuration.minimumTLSVersion = requiresTLS13 ? .tlsv13 : .tlsv12
        configuration.applicationProtocols = applicationProtocols
        // Forward secrecy and authenticated encryption only, for what TLS 1.2 leaves open.
        configuration.cipherSuites = "ECDHE+AESGCM:ECDHE+CHACHA20"
        configuration.renegotiationSupport = .none
    }
}
