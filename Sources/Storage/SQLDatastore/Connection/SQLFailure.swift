// SPDX-License-Identifier: Apache-2.0

package import Groundwork

/// What a driver throws: the database's own message and what kind of trouble it is.
package struct SQLFailure: Error, Sendable, CustomStringConvertible {
    package enum Kind: Sendable {
        /// A unique or other constraint was violated.
        case constraint
        /// Somebody else holds the database, or a serialization conflict: trying again may help.
        case retryable
        /// The connection is gone, or its server no longer takes writes; nothing of the transaction was committed.
        case lost
        /// The connection broke while committing: nobody knows yet whether the transaction was committed.
        case uncertain
        /// The database cannot be reached or used at all.
        case unusable
        case other
    }

    package var kind: Kind
    package var message: String

    package init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message
    }

    package var description: String { message }

    /// Whether the failure is not one statement's but ends the transaction, or the connection, it happened in.
    package var isOfTheTransaction: Bool {
        switch kind {
        case .retryable, .lost, .uncertain, .unusable: true
        case .constraint, .other: false
        }
    }
}

/// The failures of the datastore, with the texts and statuses of SPIRE's.
package enum StoreFailure {
    package static let recordNotFound = SpireError(.notFound, "datastore-sql: record not found")

    static func sql(_ text: String) -> SpireError { SpireError(.unknown, "datastore-sql: " + text) }
    static func validation(_ text: String) -> SpireError { SpireError(.invalid, "datastore-validation: " + text) }
    static func invalid(_ text: String) -> SpireError { SpireError(.invalid, text) }

    /// Turns a driver's failure into what callers see; our own errors pass unchanged.
    package static func mapped(_ error: any Error) -> any Error {
        guard let failure = error as? SQLFailure else { return error }
        let text = "datastore-sql: " + failure.message
        switch failure.kind {
        case .constraint: return SpireError(.alreadyExists, text)
        case .retryable, .other: return SpireError(.unknown, text)
        case .unusable, .lost: return SpireError(.unavailable, text)
        case .uncertain:
            return SpireError(.unavailable, text + "; the connection broke while committing, the change may have been made")
        }
    }
}
