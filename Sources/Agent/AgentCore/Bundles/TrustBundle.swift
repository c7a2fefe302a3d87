// SPDX-License-Identifier: Apache-2.0

package import SPIFFE
import Synchronization

/// What the agent knows of a trust domain: its X.509 and JWT authorities. Immutable, shared by everything that serves it.
package final class TrustBundle: Sendable, Equatable {
    package struct X509Authority: Sendable, Hashable {
        /// The certificate.
        package var der: [UInt8]
        package var isTainted: Bool
        package init(der: [UInt8], isTainted: Bool = false) {
            self.der = der
            self.isTainted = isTainted
        }
    }

    package struct JWTAuthority: Sendable, Hashable {
        package var keyID: String
        /// DER SubjectPublicKeyInfo.
        package var spki: [UInt8]
        /// Seconds since 1970; 0 for never.
        package var expiresAt: Int64
        package var isTainted: Bool
        package init(keyID: String, spki: [UInt8], expiresAt: Int64 = 0, isTainted: Bool = false) {
            self.keyID = keyID
            self.spki = spki
            self.expiresAt = expiresAt
            self.isTainted = isTainted
        }
    }

    package let trustDomain: TrustDomain
    package let x509Authorities: [X509Authority]
    package let jwtAuthorities: [JWTAuthority]
    package let refreshHintSeconds: Int64
    package let sequenceNumber: UInt64
    /// All X.509 authorities, one DER certificate after the other, as the Workload API hands them out.
    package let concatenatedX509: [UInt8]
    private let derived = Mutex<[ObjectIdentifier: any Sendable]>([:])

    package init(
        trustDomain: TrustDomain, x509Authorities: [X509Authority], jwtAuthorities: [JWTAuthority] = [],
        refreshHintSeconds: Int64 = 0, sequenceNumber: UInt64 = 0
    ) {
        self.trustDomain = trustDomain
        self.x509Authorities = x509Authorities
        self.jwtAuthorities = jwtAuthorities
        self.refreshHintSeconds = refreshHintSeconds
        self.sequenceNumber = sequenceNumber
        concatenatedX509 = x509Authorities.flatMap(\.der)
    }

    /// The value made from this bundle by `make`, made at most once a type (two racing callers may both make it).
    package func derived<T: Sendable>(_ type: T.Type, _ make: (TrustBundle) throws -> T) rethrows -> T {
        let key = ObjectIdentifier(type)
        if let known = derived.withLock({ $0[key] }) as? T { return known }
        let value = try make(self)
        derived.withLock { $0[key] = value }
        return value
    }

    package static func == (a: TrustBundle, b: TrustBundle) -> Bool {
        a === b
            || a.trustDomain == b.trustDomain && a.x509Authorities == b.x509Authorities
                && a.jwtAuthorities == b.jwtAuthorities && a.refreshHintSeconds == b.refreshHintSeconds
                && a.sequenceNumber == b.sequenceNumber
    }
}
