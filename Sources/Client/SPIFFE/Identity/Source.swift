// SPDX-License-Identifier: Apache-2.0

/// Something that knows X.509 bundles: a bundle, a set of them, or a live connection to the Workload API.
public protocol X509BundleSource: Sendable {
    /// Returns the current bundle of a trust domain. Answers from memory.
    /// - Throws: `bundle_not_found`, or `closed`.
    func x509Bundle(for trustDomain: TrustDomain) throws -> X509Bundle
}

/// Something that knows JWT bundles.
public protocol JWTBundleSource: Sendable {
    /// Returns the current bundle of a trust domain. Answers from memory.
    /// - Throws: `bundle_not_found`, or `closed`.
    func jwtBundle(for trustDomain: TrustDomain) throws -> JWTBundle
}

/// Something that has an X.509-SVID to present.
public protocol X509SVIDSource: Sendable {
    /// Returns the current X.509-SVID. Answers from memory.
    /// - Throws: `closed`, or what keeps it from having one.
    func x509SVID() throws -> X509SVID
}

/// Something that can obtain JWT-SVIDs.
public protocol JWTSVIDSource: Sendable {
    /// Obtains a JWT-SVID.
    /// - Parameters:
    ///   - audience: Who may accept it; at least one value.
    ///   - subject: Which of the caller's identities; `nil` for the default one.
    /// - Throws: `workload_api`, `invalid_jwt_svid` or `closed`.
    func jwtSVID(audience: [String], subject: SPIFFEID?) async throws -> JWTSVID
}

extension SPIFFEError {
    static func noBundle(_ kind: String, _ trustDomain: TrustDomain) -> SPIFFEError {
        SPIFFEError(.bundleNotFound, "no \(kind) bundle for trust domain \"\(trustDomain)\"")
    }
}
