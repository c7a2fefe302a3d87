// SPDX-License-Identifier: Apache-2.0

import APIProtos
import CLISupport
import SwiftProtobuf

/// The filter flags of `entry show` and `entry count`.
struct EntryFilterFlags {
    let parentID: Flag<String>
    let spiffeID: Flag<String>
    let selectors: Flag<[String]>
    private let matchSelectors: Flag<String>
    private let federatesWith: Flag<[String]>
    private let matchFederatesWith: Flag<String>
    private let downstream: Flag<Bool>
    private let hint: Flag<String>

    /// - Parameter verb: `show` or `count`, for the help texts.
    init(_ flags: FlagSet, verb: String) {
        parentID = flags.string("parentID", "", "The Parent ID of the records to \(verb)")
        spiffeID = flags.string("spiffeID", "", "The SPIFFE ID of the records to \(verb)")
        selectors = flags.list("selector", "A colon-delimited type:value selector. Can be used more than once")
        matchSelectors = flags.string(
            "matchSelectorsOn", "superset",
            "The match mode used when filtering by selectors. Options: exact, any, superset and subset")
        federatesWith = flags.list(
            "federatesWith", "SPIFFE ID of a trust domain an entry is federate with. Can be used more than once")
        matchFederatesWith = flags.string(
            "matchFederatesWithOn", "superset",
            "The match mode used when filtering by federates with. Options: exact, any, superset and subset")
        downstream = flags.bool(
            "downstream", "A boolean value that, when set, indicates that the entry describes a downstream SPIRE server")
        hint = flags.string("hint", "", "The Hint of the records to \(verb) (optional)")
    }

    func filter() throws -> Spire_Api_Server_Entry_V1_ListEntriesRequest.Filter {
        var filter = Spire_Api_Server_Entry_V1_ListEntriesRequest.Filter()
        if !parentID.value.isEmpty {
            do {
                filter.byParentID = try Spire_Api_Types_SPIFFEID(parsing: parentID.value)
            } catch {
                throw CommandFailure("error parsing parent ID \(GoText.quoted(parentID.value)): \(error)")
            }
        }
        if !spiffeID.value.isEmpty {
            do {
                filter.bySpiffeID = try Spire_Api_Types_SPIFFEID(parsing: spiffeID.value)
            } catch {
                throw CommandFailure("error parsing SPIFFE ID \(GoText.quoted(spiffeID.value)): \(error)")
            }
        }
        if !selectors.value.isEmpty {
            do {
                filter.bySelectors.selectors = try selectors.value.map(SPIRE.selector)
            } catch {
                throw CommandFailure("error parsing selectors: \(error)")
            }
            guard let match = SPIRE.selectorMatch(matchSelectors.value) else {
                throw CommandFailure("match behavior \(GoText.quoted(matchSelectors.value)) unknown")
            }
            filter.bySelectors.match = match
        }
        if !federatesWith.value.isEmpty {
            filter.byFederatesWith.trustDomains = federatesWith.value
            guard let match = SPIRE.federatesWithMatch(matchFederatesWith.value) else {
                throw CommandFailure("match behavior \(GoText.quoted(matchFederatesWith.value)) unknown")
            }
            filter.byFederatesWith.match = match
        }
        if !hint.value.isEmpty { filter.byHint.value = hint.value }
        filter.byDownstream.value = downstream.value
        return filter
    }
}
