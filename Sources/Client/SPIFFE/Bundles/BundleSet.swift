// SPDX-License-Identifier: Apache-2.0

/// Bundles of several trust domains, X.509 and JWT apart, found by trust domain and never merged.
public struct BundleSet: Sendable, Hashable {
    public private(set) var x509Bundles: [TrustDomain: X509Bundle] = [:]
    public private(set) var jwtBundles: [TrustDomain: JWTBundle] = [:]

    public init() {}

    public init(_ bundles: some Sequence<SPIFFEBundle>) {
        for bundle in bundles { set(bundle) }
    }

    public init(x509 bundles: some Sequence<X509Bundle>) {
        for bundle in bundles { set(bundle) }
    }

    public init(jwt bundles: some Sequence<JWTBundle>) {
        for bundle in bundles { set(bundle) }
    }

    /// Takes both parts of a bundle, replacing what was known of its trust domain.
    public mutating func set(_ bundle: SPIFFEBundle) {
        x509Bundles[bundle.trustDomain] = bundle.x509Bundle
        jwtBundles[bundle.trustDomain] = bundle.jwtBundle
    }

    /// Takes a bundle, replacing the X.509 bundle of its trust domain.
    public mutating func set(_ bundle: X509Bundle) { x509Bundles[bundle.trustDomain] = bundle }

    /// Takes a bundle, replacing the JWT bundle of its trust domain.
    public mutating func set(_ bundle: JWTBundle) { jwtBundles[bundle.trustDomain] = bundle }

    /// Forgets a trust domain.
    public mutating func remove(_ trustDomain: TrustDomain) {
        x509Bundles[trustDomain] = nil
        jwtBundles[trustDomain] = nil
    }
}

extension BundleSet: X509BundleSource, JWTBundleSource {
    public func x509Bundle(for trustDomain: TrustDomain) throws -> X509Bundle {
        guard let bundle = x509Bundles[trustDomain] else { throw SPIFFEError.noBundle("X.509", trustDomain) }
        return bundle
    }

    public func jwtBundle(for trustDomain: TrustDomain) throws -> JWTBundle {
        guard let bundle = jwtBundles[trustDomain] else { throw SPIFFEError.noBundle("JWT", trustDomain) }
        return bundle
    }
}
