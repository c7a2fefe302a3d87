// SPDX-License-Identifier: Apache-2.0

import Datastore
import FoundationEssentials
import Groundwork
import SPIFFE
import X509

extension TrustBundle {
    /// What a fetched document comes to in the datastore. As in the original, its sequence number is not kept, and
    /// neither are WIT keys.
    init(_ document: SPIFFEBundle) {
        self.init(trustDomainID: document.trustDomain.id.description)
        x509Authorities = document.x509Authorities.map { X509Authority(der: $0.der) }
        jwtAuthorities = document.jwtAuthorities.map {
            JWTAuthority(publicKey: $0.publicKey.spki, keyID: $0.keyID, expiresAt: 0)
        }
        refreshHint = document.refreshHint?.components.seconds ?? 0
    }

    /// Whether both hold the same authorities and hint; order does not count.
    func matches(_ other: TrustBundle) -> Bool {
        refreshHint == other.refreshHint && Set(x509Authorities.map(\.der)) == Set(other.x509Authorities.map(\.der))
            && tokenKeys == other.tokenKeys
    }

    private var tokenKeys: [String: [UInt8]] {
        Dictionary(jwtAuthorities.map { ($0.keyID, $0.publicKey) }, uniquingKeysWith: { $1 })
    }

    /// The bundle as a document, with a hint of the endpoint's choice. Tainted authorities are in it: those who verify
    /// decide what to do about them.
    /// - Throws: when what is stored cannot be published.
    func document(refreshHint: Duration) throws -> SPIFFEBundle {
        SPIFFEBundle(
            try TrustDomain(trustDomainID),
            x509Authorities: try x509Authorities.map { try Certificate(spiffeDER: $0.der) },
            jwtAuthorities: try jwtAuthorities.map {
                SPIFFE.JWTAuthority(keyID: $0.keyID, publicKey: try PublicKey(spki: $0.publicKey))
            },
            sequenceNumber: sequenceNumber, refreshHint: refreshHint)
    }

    /// For verifying certificates; without authorities that cannot be parsed.
    func x509Bundle(_ trustDomain: TrustDomain) -> X509Bundle {
        X509Bundle(trustDomain, authorities: x509Authorities.compactMap { try? Certificate(spiffeDER: $0.der) })
    }
}

/// How long to wait before a trust domain's endpoint is asked again.
enum RefreshInterval {
    static let minimum: Duration = .seconds(60)
    /// Without a hint.
    static let standard: Duration = .seconds(300)
    /// Four looks within the time a change may stay unseen.
    static let attempts = 4

    /// - Parameters:
    ///   - hint: As fetched; `nil` when the document names none.
    ///   - lifetimes: Of the X.509 authorities, in seconds: what a hint of zero falls back to.
    static func after(hint: Duration?, lifetimes: [Int64]) -> Duration {
        guard let hint else { return standard }
        let span = hint == .zero ? .seconds((lifetimes.min() ?? 0) / 10) : hint
        return max(span, minimum) / attempts
    }

    static func after(_ bundle: TrustBundle) -> Duration {
        let lifetimes = bundle.x509Authorities.compactMap { authority -> Int64? in
            guard let certificate = try? Certificate(spiffeDER: authority.der) else { return nil }
            return Int64(certificate.notValidAfter.timeIntervalSince(certificate.notValidBefore))
        }
        return after(hint: .seconds(bundle.refreshHint), lifetimes: lifetimes)
    }
}
