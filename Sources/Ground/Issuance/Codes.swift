// SPDX-License-Identifier: Apache-2.0

package import Groundwork

extension SpireError.Code {
    /// A certificate signing request is not one, is too large, or its signature does not match its key.
    package static let csrMalformed = SpireError.Code("issuance.csr_malformed", wire: .invalidArgument)
    /// A certificate is not one.
    package static let certificateMalformed = SpireError.Code("issuance.certificate_malformed", wire: .invalidArgument)
    /// A public or private key is malformed or of a kind that is not supported.
    package static let keyMalformed = SpireError.Code("issuance.key_malformed", wire: .invalidArgument)
    /// A key was to be bound to an algorithm it cannot sign with.
    package static let keyAlgorithm = SpireError.Code("issuance.key_algorithm", wire: .invalidArgument)
    /// A subject name is malformed.
    package static let nameMalformed = SpireError.Code("issuance.name_malformed", wire: .invalidArgument)
    /// What was about to be issued, or was just signed, breaks a rule a relying party checks. It is not handed out.
    package static let issuanceRefused = SpireError.Code("issuance.refused", wire: .internal)
    /// A key refused to sign, or made a signature its public key does not accept.
    package static let signingFailed = SpireError.Code("issuance.signing_failed", wire: .internal)
}

/// All codes of this target, for the uniqueness test and the generated documentation.
package enum IssuanceCodes {
    package static let all: [SpireError.Code] = [
        .csrMalformed, .certificateMalformed, .keyMalformed, .keyAlgorithm, .nameMalformed, .issuanceRefused,
        .signingFailed,
    ]
}
