// SPDX-License-Identifier: Apache-2.0

package import Groundwork

extension SpireError.Code {
    /// No authority of the kind that is needed is active yet, or its kind is switched off.
    package static let authorityUnavailable = SpireError.Code("authority.unavailable", wire: .unavailable)
    /// JWT-SVIDs are switched off by configuration.
    package static let jwtDisabled = SpireError.Code("authority.jwt_disabled", wire: .unimplemented)
    /// WIT-SVIDs are not switched on by configuration.
    package static let witDisabled = SpireError.Code("authority.wit_disabled", wire: .unimplemented)
    /// A local authority was named that the request cannot be about.
    package static let authorityUnexpected = SpireError.Code("authority.unexpected", wire: .invalidArgument)
    /// A local authority is in the wrong state for the request.
    package static let authorityStatus = SpireError.Code("authority.wrong_status", wire: .internal)
    /// A local authority could not be prepared.
    package static let authorityPreparation = SpireError.Code("authority.preparation_failed", wire: .internal)
    /// A change of the published authorities could not be stored, or its consequences not be carried out.
    package static let authorityChange = SpireError.Code("authority.change_failed", wire: .internal)
    /// The stored record of this server's authorities cannot be read.
    package static let journalMalformed = SpireError.Code("authority.journal_malformed", wire: .internal)
}

/// All codes of this target, for the uniqueness test and the generated documentation.
package enum AuthorityCodes {
    package static let all: [SpireError.Code] = [
        .authorityUnavailable, .jwtDisabled, .witDisabled, .authorityUnexpected, .authorityStatus,
        .authorityPreparation, .authorityChange, .journalMalformed,
    ]
}
