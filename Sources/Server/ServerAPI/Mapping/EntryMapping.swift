// SPDX-License-Identifier: Apache-2.0

package import APIProtos
package import Datastore
import SPIFFE
import SwiftProtobuf

/// Registration entries in both directions.
package struct EntryMapping: Sendable {
    package let ids: IDRules

    package init(_ ids: IDRules) { self.ids = ids }

    static let longestHint = 1024

    /// Checks the fields of `proto` that `fields` names and converts them.
    /// - Throws: `Malformed`.
    package func model(_ proto: Spire_Api_Types_Entry, fields: EntryFields = .all) throws -> RegistrationEntry {
        var entry = RegistrationEntry()
        entry.id = proto.id
        if fields.contains(.parentID) {
            entry.parentID = try named("invalid parent ID") {
                try ids.member(proto.hasParentID ? proto.parentID : nil).description
            }
        }
        if fields.contains(.spiffeID) {
            entry.spiffeID = try named("invalid spiffe ID") {
                try ids.workload(proto.hasSpiffeID ? proto.spiffeID : nil).description
            }
        }
        if fields.contains(.admin) { entry.admin = proto.admin }
        if fields.contains(.dnsNames) {
            for name in proto.dnsNames { try named("invalid DNS name") { try DNSNames.check(name) } }
            entry.dnsNames = proto.dnsNames
        }
        if fields.contains(.downstream) { entry.downstream = proto.downstream }
        if fields.contains(.expiresAt) { entry.expiresAt = proto.expiresAt }
        if fields.contains(.federatesWith) {
            entry.federatesWith = try proto.federatesWith.map { name in
                try named("invalid federated trust domain") { try TrustDomain(name).id.description }
            }
        }
        if fields.contains(.selectors) {
            guard !proto.selectors.isEmpty else { throw Malformed("selector list is empty") }
            entry.selectors = try SelectorMapping.model(proto.selectors).sorted()
        }
        if fields.contains(.storeSVID) { entry.storeSVID = proto.storeSvid }
        if fields.contains(.x509SVIDTTL) { entry.x509SVIDTTL = proto.x509SvidTtl }
        if fields.contains(.jwtSVIDTTL) { entry.jwtSVIDTTL = proto.jwtSvidTtl }
        if fields.contains(.hint) {
            guard proto.hint.utf8.count <= Self.longestHint else {
                throw Malformed("hint is too long, max length is \(Self.longestHint) characters")
            }
            entry.hint = proto.hint
        }
        if fields.contains(.additionalAttributes), proto.hasAdditionalAttributes {
            entry.additionalAttributes = .init(
                disableX509SVIDPrefetch: proto.additionalAttributes.disableX509SvidPrefetch,
                jwtSVIDIncludeJTI: proto.additionalAttributes.jwtSvidIncludeJti)
        }
        return entry
    }

    /// Converts a stored entry, keeping only what `mask` shows; the id always shows.
    /// - Returns: `nil` when a stored ID is not a SPIFFE ID.
    package func proto(_ entry: RegistrationEntry, mask: EntryMask) -> Spire_Api_Types_Entry? {
        guard let spiffeID = ids.proto(entry.spiffeID), let parentID = ids.proto(entry.parentID) else { return nil }
        var proto = Spire_Api_Types_Entry()
        proto.id = entry.id
        if mask.contains(.spiffeID) { proto.spiffeID = spiffeID }
        if mask.contains(.parentID) { proto.parentID = parentID }
        if mask.contains(.selectors) { proto.selectors = SelectorMapping.proto(entry.selectors) }
        if mask.contains(.x509SVIDTTL), entry.x509SVIDTTL != 0 { proto.x509SvidTtl = entry.x509SVIDTTL }
        if mask.contains(.jwtSVIDTTL), entry.jwtSVIDTTL != 0 { proto.jwtSvidTtl = entry.jwtSVIDTTL }
        if mask.contains(.federatesWith), !entry.federatesWith.isEmpty {
            proto.federatesWith = entry.federatesWith.map(Self.trustDomainName)
        }
        if mask.contains(.admin), entry.admin { proto.admin = true }
        if mask.contains(.downstream), entry.downstream { proto.downstream = true }
        if mask.contains(.expiresAt), entry.expiresAt != 0 { proto.expiresAt = entry.expiresAt }
        if mask.contains(.dnsNames), !entry.dnsNames.isEmpty { proto.dnsNames = entry.dnsNames }
        if mask.contains(.revisionNumber), entry.revisionNumber != 0 { proto.revisionNumber = entry.revisionNumber }
        if mask.contains(.storeSVID), entry.storeSVID { proto.storeSvid = true }
        if mask.contains(.hint), !entry.hint.isEmpty { proto.hint = entry.hint }
        if mask.contains(.createdAt) { proto.createdAt = entry.createdAt }
        if mask.contains(.additionalAttributes), let attributes = entry.additionalAttributes {
            proto.additionalAttributes = .with {
                $0.disableX509SvidPrefetch = attributes.disableX509SVIDPrefetch
                $0.jwtSvidIncludeJti = attributes.jwtSVIDIncludeJTI
            }
        }
        return proto
    }

    static func trustDomainName(_ id: String) -> String {
        id.hasPrefix("spiffe://") ? String(id.utf8.dropFirst("spiffe://".utf8.count)) ?? id : id
    }

    private func named<Value>(_ what: String, _ body: () throws -> Value) throws -> Value {
        do {
            return try body()
        } catch {
            throw Malformed("\(what): \(APIFailure.text(of: error))")
        }
    }
}

/// What of an entry a caller wants to see.
package struct EntryMask: OptionSet, Sendable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }
    static let spiffeID = EntryMask(rawValue: 1 << 2)
    static let parentID = EntryMask(rawValue: 1 << 3)
    static let selectors = EntryMask(rawValue: 1 << 4)
    static let x509SVIDTTL = EntryMask(rawValue: 1 << 5)
    static let federatesWith = EntryMask(rawValue: 1 << 6)
    static let admin = EntryMask(rawValue: 1 << 7)
    static let downstream = EntryMask(rawValue: 1 << 8)
    static let expiresAt = EntryMask(rawValue: 1 << 9)
    static let dnsNames = EntryMask(rawValue: 1 << 10)
    static let revisionNumber = EntryMask(rawValue: 1 << 11)
    static let storeSVID = EntryMask(rawValue: 1 << 12)
    static let jwtSVIDTTL = EntryMask(rawValue: 1 << 13)
    static let hint = EntryMask(rawValue: 1 << 14)
    static let createdAt = EntryMask(rawValue: 1 << 15)
    static let additionalAttributes = EntryMask(rawValue: 1 << 16)
    package static let all = EntryMask(rawValue: ((1 << 17) - 1) & ~0b11)

    /// - Parameter proto: `nil` means everything.
    package init(_ proto: Spire_Api_Types_EntryMask?) {
        guard let proto else {
            self = .all
            return
        }
        var mask: EntryMask = []
        if proto.spiffeID { mask.insert(.spiffeID) }
        if proto.parentID { mask.insert(.parentID) }
        if proto.selectors { mask.insert(.selectors) }
        if proto.x509SvidTtl { mask.insert(.x509SVIDTTL) }
        if proto.federatesWith { mask.insert(.federatesWith) }
        if proto.admin { mask.insert(.admin) }
        if proto.downstream { mask.insert(.downstream) }
        if proto.expiresAt { mask.insert(.expiresAt) }
        if proto.dnsNames { mask.insert(.dnsNames) }
        if proto.revisionNumber { mask.insert(.revisionNumber) }
        if proto.storeSvid { mask.insert(.storeSVID) }
        if proto.jwtSvidTtl { mask.insert(.jwtSVIDTTL) }
        if proto.hint { mask.insert(.hint) }
        if proto.createdAt { mask.insert(.createdAt) }
        if proto.additionalAttributes { mask.insert(.additionalAttributes) }
        self = mask
    }

    /// The fields an update with this mask may touch.
    var fields: EntryFields {
        var fields: EntryFields = []
        if contains(.spiffeID) { fields.insert(.spiffeID) }
        if contains(.parentID) { fields.insert(.parentID) }
        if contains(.selectors) { fields.insert(.selectors) }
        if contains(.x509SVIDTTL) { fields.insert(.x509SVIDTTL) }
        if contains(.jwtSVIDTTL) { fields.insert(.jwtSVIDTTL) }
        if contains(.federatesWith) { fields.insert(.federatesWith) }
        if contains(.admin) { fields.insert(.admin) }
        if contains(.downstream) { fields.insert(.downstream) }
        if contains(.expiresAt) { fields.insert(.expiresAt) }
        if contains(.dnsNames) { fields.insert(.dnsNames) }
        if contains(.storeSVID) { fields.insert(.storeSVID) }
        if contains(.hint) { fields.insert(.hint) }
        if contains(.additionalAttributes) { fields.insert(.additionalAttributes) }
        return fields
    }
}
