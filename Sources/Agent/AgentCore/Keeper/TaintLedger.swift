// SPDX-License-Identifier: Apache-2.0

/// Which tainted authorities have been dealt with: each is, once.
package struct TaintLedger: Sendable {
    private var x509: Set<[UInt8]> = []
    private var jwt: Set<String> = []

    package init() {}

    /// - Returns: tainted X.509 authorities (DER) not seen before.
    package mutating func newX509(in bundle: TrustBundle) -> [[UInt8]] {
        bundle.x509Authorities.filter { $0.isTainted && x509.insert($0.der).inserted }.map(\.der)
    }

    /// - Returns: IDs of tainted JWT authorities not seen before.
    package mutating func newJWT(in bundle: TrustBundle) -> Set<String> {
        Set(bundle.jwtAuthorities.filter { $0.isTainted && jwt.insert($0.keyID).inserted }.map(\.keyID))
    }
}
