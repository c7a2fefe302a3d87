// SPDX-License-Identifier: Apache-2.0

public import SPIFFE
import Synchronization

/// Takes new credentials as they are issued: all that a TLS endpoint lets others know of itself.
public protocol CredentialSink: Sendable {
    /// Replaces what new connections present. Connections that are open keep what they have.
    func install(_ svid: X509SVID)
}

/// Credentials that somebody installs and TLS endpoints read: joins a rotator to any number of endpoints.
public final class LiveCredentials: CredentialSink, X509SVIDSource {
    private let current: Mutex<X509SVID?>

    /// - Parameter svid: What to present first; `nil` refuses connections until something is installed.
    public init(_ svid: X509SVID? = nil) { current = Mutex(svid) }

    public func install(_ svid: X509SVID) { current.withLock { $0 = svid } }

    /// - Throws: `invalid_x509_svid` while nothing has been installed.
    public func x509SVID() throws -> X509SVID {
        guard let svid = current.withLock({ $0 }) else {
            throw SPIFFEError(.invalidX509SVID, "no X.509-SVID has been installed yet")
        }
        return svid
    }
}

/// X.509 bundles that somebody installs and TLS endpoints read.
public final class LiveBundles: X509BundleSource {
    private let current: Mutex<BundleSet>

    public init(_ bundles: BundleSet = BundleSet()) { current = Mutex(bundles) }

    /// Replaces every bundle. New connections are verified against these; open ones are not looked at again.
    public func install(_ bundles: BundleSet) { current.withLock { $0 = bundles } }

    public func x509Bundle(for trustDomain: TrustDomain) throws -> X509Bundle {
        try current.withLock { $0 }.x509Bundle(for: trustDomain)
    }
}
