// SPDX-License-Identifier: Apache-2.0

import APIProtos
import CLISupport
import SwiftProtobuf

/// The filter flags of `agent list` and `agent count`.
struct AgentFilterFlags {
    private let selectors: Flag<[String]>
    private let match: Flag<String>
    private let attestationType: Flag<String>
    private let canReattest: Flag<String>
    private let banned: Flag<String>
    private let expiresBefore: Flag<String>

    init(_ flags: FlagSet) {
        selectors = flags.list("selector", "A colon-delimited type:value selector. Can be used more than once")
        match = flags.string(
            "matchSelectorsOn", "superset",
            "The match mode used when filtering by selectors. Options: exact, any, superset and subset")
        attestationType = flags.string(
            "attestationType", "", "Filter by attestation type, like join_token or x509pop.")
        canReattest = flags.string(
            "canReattest", "", "Filter based on string received, 'true': agents that can reattest, 'false': agents that can't reattest, other value will return all.")
        banned = flags.string(
            "banned", "", "Filter based on string received, 'true': banned agents, 'false': not banned agents, other value will return all.")
        expiresBefore = flags.string(
            "expiresBefore", "", "Filter by expiration time (format: \"2006-01-02 15:04:05 -0700 -07\")")
    }

    func filter() throws -> Spire_Api_Server_Agent_V1_ListAgentsRequest.Filter {
        var filter = Spire_Api_Server_Agent_V1_ListAgentsRequest.Filter()
        if !selectors.value.isEmpty {
            guard let behavior = SPIRE.selectorMatch(match.value) else {
                throw CommandFailure("unsupported match behavior")
            }
            filter.bySelectorMatch.match = behavior
            filter.bySelectorMatch.selectors = try selectors.value.map { text in
                do {
                    return try SPIRE.selector(text)
                } catch {
                    throw CommandFailure("error parsing selector \"\(text)\": \(error)")
                }
            }
        }
        filter.byAttestationType = attestationType.value
        if let value = Bool(canReattest.value) { filter.byCanReattest.value = value }
        if let value = Bool(banned.value) { filter.byBanned.value = value }
        if !expiresBefore.value.isEmpty {
            guard Self.isTime(expiresBefore.value) else {
                throw CommandFailure(
                    "date is not valid: parsing time \"\(expiresBefore.value)\" as \"2006-01-02 15:04:05 -0700 -07\": cannot parse")
            }
            filter.byExpiresBefore = expiresBefore.value
        }
        return filter
    }

    /// Whether `text` has the form `2006-01-02 15:04:05 -0700 -07`.
    private static func isTime(_ text: String) -> Bool {
        let shape = Array("dddd-dd-dd dd:dd:dd sdddd sdd".utf8)
        let bytes = Array(text.utf8)
        guard bytes.count == shape.count else { return false }
        return zip(bytes, shape).allSatisfy { byte, want in
            switch want {
            case UInt8(ascii: "d"): (48...57).contains(byte)
            case UInt8(ascii: "s"): byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-")
            default: byte == want
            }
        }
    }
}
