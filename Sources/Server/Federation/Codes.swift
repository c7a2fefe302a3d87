// SPDX-License-Identifier: Apache-2.0

package import Groundwork

extension SpireError.Code {
    /// A foreign trust domain's bundle could not be fetched or stored.
    package static let federationRefresh = SpireError.Code("federation.refresh_failed", wire: .unavailable)
    /// The bundle endpoint's certificate files cannot be used.
    package static let endpointCertificate = SpireError.Code("federation.endpoint_certificate", wire: .internal)
}

/// All codes of this target, for the uniqueness test and the generated documentation.
package enum FederationCodes {
    package static let all: [SpireError.Code] = [.federationRefresh, .endpointCertificate]
}
