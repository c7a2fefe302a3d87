// SPDX-License-Identifier: Apache-2.0

import Datastore

/// What the datastore refuses, with SPIRE's texts.
enum EntryValidation {
    static let longestID = 255

    static func checkNew(_ entry: RegistrationEntry) throws {
        try checkSelectors(entry)
        try checkStorable(entry)
        try checkID(entry.id)
        if entry.spiffeID.isEmpty { throw failure("missing SPIFFE ID") }
        try checkLifetimes(entry)
    }

    /// - Parameters:
    ///   - entry: As it will be.
    ///   - fields: What the update touches.
    static func checkUpdated(_ entry: RegistrationEntry, _ fields: EntryFields) throws {
        if fields.contains(.selectors) { try checkSelectors(entry) }
        if !fields.isDisjoint(with: [.selectors, .storeSVID, .additionalAttributes]) { try checkStorable(entry) }
        if fields.contains(.spiffeID), entry.spiffeID.isEmpty { throw failure("missing SPIFFE ID") }
        if !fields.isDisjoint(with: [.x509SVIDTTL, .jwtSVIDTTL]) { try checkLifetimes(entry) }
    }

    private static func checkSelectors(_ entry: RegistrationEntry) throws {
        if entry.selectors.isEmpty { throw failure("missing selector list") }
    }

    private static func checkStorable(_ entry: RegistrationEntry) throws {
        guard entry.storeSVID else { return }
        if let first = entry.selectors.first, entry.selectors.contains(where: { $0.type != first.type }) {
            throw failure("selector types must be the same when store SVID is enabled")
        }
        if entry.additionalAttributes?.disableX509SVIDPrefetch == true {
            throw StoreFailure.validation("specifying cache behaviour is incompatible with storable SVIDs")
        }
    }

    private static func checkID(_ id: String) throws {
        if id.utf8.count > longestID { throw failure("entry ID too long") }
        let isPlain = id.utf8.allSatisfy { byte in
            (byte >= 48 && byte <= 57) || (byte | 0x20 >= 97 && byte | 0x20 <= 122) || byte == 45 || byte == 46
                || byte == 95
        }
        if !isPlain { throw failure("entry ID contains invalid characters") }
    }

    private static func checkLifetimes(_ entry: RegistrationEntry) throws {
        if entry.x509SVIDTTL < 0 { throw failure("X509SvidTtl is not set") }
        if entry.jwtSVIDTTL < 0 { throw failure("JwtSvidTtl is not set") }
    }

    private static func failure(_ text: String) -> any Error {
        StoreFailure.validation("invalid registration entry: " + text)
    }
}
