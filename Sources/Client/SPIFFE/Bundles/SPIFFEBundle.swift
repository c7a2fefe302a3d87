// SPDX-License-Identifier: Apache-2.0

public import X509

/// Everything a trust domain publishes: X.509 and JWT authorities, a sequence number and a refresh hint.
///
/// `SPIFFEBundle+Document.swift` reads and writes the document form.
/// > Spec: Trust Domain and Bundle §4.
public struct SPIFFEBundle: Sendable, Hashable {
    public let trustDomain: TrustDomain
    /// Grows with each change; 0 when the document names none.
    public var sequenceNumber: UInt64
    /// How often consumers should look for changes; `nil` when the document names none. Whole seconds.
    public var refreshHint: Duration?
    /// What X.509-SVIDs are verified against.
    public var x509Authorities: [Certificate] {
        get { x509Bundle.authorities }
        set { x509Bundle = X509Bundle(trustDomain, authorities: newValue) }
    }
    /// What JWT-SVIDs are verified against.
    public var jwtAuthorities: [JWTAuthority] {
        get { jwtBundle.authorities }
        set { jwtBundle = JWTBundle(trustDomain, authorities: newValue) }
    }
    /// What WIT-SVIDs are verified against.
    public var witAuthorities: [JWTAuthority]

    /// The X.509 part alone.
    public private(set) var x509Bundle: X509Bundle
    /// The JWT part alone.
    public private(set) var jwtBundle: JWTBundle

    public init(
        _ trustDomain: TrustDomain, x509Authorities: [Certificate] = [], jwtAuthorities: [JWTAuthority] = [],
        witAuthorities: [JWTAuthority] = [], sequenceNumber: UInt64 = 0, refreshHint: Duration? = nil
    ) {
        self.trustDomain = trustDomain
        self.sequenceNumber = sequenceNumber
        self.refreshHint = refreshHint
        self.witAuthorities = witAuthorities
        x509Bundle = X509Bundle(trustDomain, authorities: x509Authorities)
        jwtBundle = JWTBundle(trustDomain, authorities: jwtAuthorities)
    }
}

extension SPIFFEBundle: X509BundleSource, JWTBundleSource {
    /// Returns the X.509 part for its own trust domain.
    public func x509Bundle(for trustDomain: TrustDomain) throws -> X509Bundle {
        try x509Bundle.x509Bundle(for: trustDomain)
    }

    /// Returns the JWT part for its own trust domain.
    public func jwtBundle(for trustDomain: TrustDomain) throws -> JWTBundle {
        try jwtBundle.jwtBundle(for: trustDomain)
    }
}
