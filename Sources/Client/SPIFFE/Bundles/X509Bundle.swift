// SPDX-License-Identifier: Apache-2.0

public import X509

/// The X.509 authorities of one trust domain: what its X.509-SVIDs are verified against.
public struct X509Bundle: Sendable, Hashable {
    public let trustDomain: TrustDomain
    /// Root certificates, in the order they were given, without repetition.
    public private(set) var authorities: [Certificate]

    public init(_ trustDomain: TrustDomain, authorities: [Certificate] = []) {
        self.trustDomain = trustDomain
        var seen = Set<Certificate>(minimumCapacity: authorities.count)
        self.authorities = authorities.filter { seen.insert($0).inserted }
    }

    /// Parses DER certificates laid end to end, as the Workload API sends them.
    /// - Throws: `invalid_bundle`.
    public init(_ trustDomain: TrustDomain, der: some Collection<UInt8>) throws(SPIFFEError) {
        do {
            self.init(trustDomain, authorities: try Certificate.sequence(der: der))
        } catch {
            throw SPIFFEError(.invalidBundle, "cannot parse X.509 bundle of \(trustDomain): \(error.message)")
        }
    }

    /// Parses the `CERTIFICATE` blocks of a PEM text.
    /// - Throws: `invalid_bundle`, also when there is no certificate.
    public init(_ trustDomain: TrustDomain, pem: String) throws(SPIFFEError) {
        let authorities: [Certificate]
        do {
            authorities = try Certificate.sequence(pem: pem)
        } catch {
            throw SPIFFEError(.invalidBundle, "cannot parse X.509 bundle of \(trustDomain): \(error.message)")
        }
        guard !authorities.isEmpty else { throw SPIFFEError(.invalidBundle, "no certificates found") }
        self.init(trustDomain, authorities: authorities)
    }

    /// Adds an authority unless it is there.
    public mutating func add(_ authority: Certificate) {
        if !authorities.contains(authority) { authorities.append(authority) }
    }

    /// Removes an authority if it is there.
    public mutating func remove(_ authority: Certificate) {
        authorities.removeAll { $0 == authority }
    }

    /// The authorities' DER laid end to end.
    public var der: [UInt8] { authorities.flatMap(\.der) }
}

extension X509Bundle: X509BundleSource {
    /// Returns itself for its own trust domain.
    public func x509Bundle(for trustDomain: TrustDomain) throws -> X509Bundle {
        guard trustDomain == self.trustDomain else { throw SPIFFEError.noBundle("X.509", trustDomain) }
        return self
    }
}
