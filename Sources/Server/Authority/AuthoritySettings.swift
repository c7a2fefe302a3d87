// SPDX-License-Identifier: Apache-2.0

package import Issuance
package import SPIFFE

/// What the operator decided about authorities and lifetimes. Defaults are the original's.
package struct AuthoritySettings: Sendable {
    package var trustDomain: TrustDomain
    /// Lifetime of self-signed authorities and of JWT and WIT keys.
    package var caTTL: Duration = .seconds(24 * 3600)
    package var caKeyType: KeyType = .ecP256
    package var jwtKeyType: KeyType = .ecP256
    package var witKeyType: KeyType = .ecP256
    /// Subject of authorities; a serial number attribute is added when it has none.
    package var caSubject: DistinguishedName = .authority
    package var defaultX509SVIDTTL: Duration = .seconds(3600)
    package var defaultJWTSVIDTTL: Duration = .seconds(300)
    /// `nil` means `defaultX509SVIDTTL`.
    package var agentTTL: Duration?
    /// The `iss` claim of tokens; empty for none.
    package var jwtIssuer = ""
    package var disableJWTSVIDs = false
    /// The `iss` claim of WIT-SVIDs; empty for none.
    package var witIssuer = ""
    /// Whether the server holds WIT keys and signs with them.
    package var enableWITSVIDs = false

    package init(trustDomain: TrustDomain) { self.trustDomain = trustDomain }

    /// The kinds of authority this server keeps, the X.509 one first.
    var kinds: [AuthorityKind] {
        [.x509] + (disableJWTSVIDs ? [] : [.jwt]) + (enableWITSVIDs ? [.wit] : [])
    }
}
