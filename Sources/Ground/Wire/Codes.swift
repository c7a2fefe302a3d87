// SPDX-License-Identifier: Apache-2.0

package import Groundwork

extension SpireError.Code {
    /// An address somebody else listens on, or that cannot be listened on.
    package static let addressInUse = SpireError.Code("wire.address_in_use", wire: .unavailable)
    /// The process on the other end of a socket could not be identified.
    package static let unknownCaller = SpireError.Code("wire.unknown_caller", wire: .unauthenticated)
    /// A certificate chain or key that TLS cannot use.
    package static let badTLSIdentity = SpireError.Code("wire.bad_tls_identity", wire: .internal)
}
