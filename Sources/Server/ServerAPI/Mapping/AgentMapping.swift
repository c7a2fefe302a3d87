// SPDX-License-Identifier: Apache-2.0

package import APIProtos
package import Datastore
import SwiftProtobuf

/// Attested nodes as messages.
package struct AgentMapping: Sendable {
    package let ids: IDRules

    /// Converts a stored node, keeping only what `mask` shows (`nil`: everything); the id always shows.
    /// - Returns: `nil` when the stored ID is not a SPIFFE ID.
    package func proto(_ node: AttestedNode, mask: Spire_Api_Types_AgentMask?) -> Spire_Api_Types_Agent? {
        guard let id = ids.proto(node.spiffeID) else { return nil }
        var agent = Spire_Api_Types_Agent()
        agent.id = id
        if mask?.attestationType ?? true { agent.attestationType = node.attestationType }
        if mask?.x509SvidSerialNumber ?? true { agent.x509SvidSerialNumber = node.serialNumber }
        if mask?.x509SvidExpiresAt ?? true { agent.x509SvidExpiresAt = node.expiresAt }
        if mask?.selectors ?? true { agent.selectors = SelectorMapping.proto(node.selectors) }
        if mask?.banned ?? true { agent.banned = node.serialNumber.isEmpty }
        if mask?.canReattest ?? true { agent.canReattest = node.canReattest }
        if mask?.agentVersion ?? true { agent.agentVersion = node.agentVersion }
        return agent
    }

    /// The two requests carry filters of the same fields under two names.
    struct Fields {
        var attestationType: String
        var selectors: Spire_Api_Types_SelectorMatch?
        var banned: Bool?
        var canReattest: Bool?
        var expiresBefore: String

        init(_ filter: Spire_Api_Server_Agent_V1_ListAgentsRequest.Filter) {
            attestationType = filter.byAttestationType
            selectors = filter.hasBySelectorMatch ? filter.bySelectorMatch : nil
            banned = filter.hasByBanned ? filter.byBanned.value : nil
            canReattest = filter.hasByCanReattest ? filter.byCanReattest.value : nil
            expiresBefore = filter.byExpiresBefore
        }

        init(_ filter: Spire_Api_Server_Agent_V1_CountAgentsRequest.Filter) {
            attestationType = filter.byAttestationType
            selectors = filter.hasBySelectorMatch ? filter.bySelectorMatch : nil
            banned = filter.hasByBanned ? filter.byBanned.value : nil
            canReattest = filter.hasByCanReattest ? filter.byCanReattest.value : nil
            expiresBefore = filter.byExpiresBefore
        }
    }

    /// - Throws: `APIFailure`, invalid argument.
    func filter(_ fields: Fields) throws -> NodeFilter {
        var filter = NodeFilter()
        if !fields.attestationType.isEmpty { filter.attestationType = fields.attestationType }
        filter.banned = fields.banned
        filter.canReattest = fields.canReattest
        // Text that is no time is ignored, as SPIRE does.
        filter.expiresBefore = GoTime.parse(fields.expiresBefore)
        if let match = fields.selectors {
            do {
                filter.selectors = SelectorMatch(
                    try SelectorMapping.model(match.selectors), try SelectorMapping.behavior(match.match))
            } catch {
                throw APIFailure.invalid("failed to parse selectors", error)
            }
        }
        return filter
    }
}

/// The one time layout that is part of the API: `2006-01-02 15:04:05 -0700 -07`.
enum GoTime {
    /// - Returns: unix seconds; `nil` for any other text.
    static func parse(_ text: String) -> Int64? {
        let parts = text.split(separator: " ")
        guard parts.count == 4 || parts.count == 3 else { return nil }
        let date = parts[0].split(separator: "-", omittingEmptySubsequences: false).map { Int64($0) }
        let clock = parts[1].split(separator: ":", omittingEmptySubsequences: false).map { Int64($0) }
        guard date.count == 3, clock.count == 3, let year = date[0], let month = date[1], let day = date[2],
            let hour = clock[0], let minute = clock[1], let second = clock[2], let offset = offset(parts[2]),
            (0...9999).contains(year), (1...12).contains(month), (1...31).contains(day), (0...23).contains(hour),
            (0...59).contains(minute), (0...59).contains(second)
        else { return nil }
        return days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset
    }

    private static func offset(_ text: Substring) -> Int64? {
        guard text.utf8.count == 5, let sign = text.first, sign == "+" || sign == "-",
            let digits = Int64(text.dropFirst()), digits >= 0
        else { return nil }
        let seconds = (digits / 100) * 3600 + (digits % 100) * 60
        return sign == "-" ? -seconds : seconds
    }

    /// Days from 1970-01-01 in the proleptic Gregorian calendar.
    private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let y = month <= 2 ? year - 1 : year
        let era = (y >= 0 ? y : y - 399) / 400
        let yearOfEra = y - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }
}
