// SPDX-License-Identifier: Apache-2.0

import APIProtos
import Datastore
import SPIFFE
import SwiftProtobuf

/// Decodes the filters of list and count once for both.
struct EntryFilterMapping {
    let ids: IDRules

    /// The two requests carry filters of the same fields under two names.
    struct Fields {
        var spiffeID: Spire_Api_Types_SPIFFEID?
        var parentID: Spire_Api_Types_SPIFFEID?
        var selectors: Spire_Api_Types_SelectorMatch?
        var federatesWith: Spire_Api_Types_FederatesWithMatch?
        var hint: String?
        var downstream: Bool?

        init(_ filter: Spire_Api_Server_Entry_V1_ListEntriesRequest.Filter) {
            spiffeID = filter.hasBySpiffeID ? filter.bySpiffeID : nil
            parentID = filter.hasByParentID ? filter.byParentID : nil
            selectors = filter.hasBySelectors ? filter.bySelectors : nil
            federatesWith = filter.hasByFederatesWith ? filter.byFederatesWith : nil
            hint = filter.hasByHint ? filter.byHint.value : nil
            downstream = filter.hasByDownstream ? filter.byDownstream.value : nil
        }

        init(_ filter: Spire_Api_Server_Entry_V1_CountEntriesRequest.Filter) {
            spiffeID = filter.hasBySpiffeID ? filter.bySpiffeID : nil
            parentID = filter.hasByParentID ? filter.byParentID : nil
            selectors = filter.hasBySelectors ? filter.bySelectors : nil
            federatesWith = filter.hasByFederatesWith ? filter.byFederatesWith : nil
            hint = filter.hasByHint ? filter.byHint.value : nil
            downstream = filter.hasByDownstream ? filter.byDownstream.value : nil
        }
    }

    /// - Throws: `APIFailure`, invalid argument.
    func model(_ fields: Fields) throws -> EntryFilter {
        var filter = EntryFilter()
        if let hint = fields.hint { filter.hint = hint }
        if let parentID = fields.parentID {
            filter.parentID = try decoding("malformed parent ID filter") { try ids.member(parentID).description }
        }
        if let spiffeID = fields.spiffeID {
            filter.spiffeID = try decoding("malformed SPIFFE ID filter") { try ids.workload(spiffeID).description }
        }
        if let match = fields.selectors {
            filter.selectors = try decoding("malformed selectors filter") {
                guard !match.selectors.isEmpty else { throw Malformed("empty selector set") }
                return SelectorMatch(
                    try SelectorMapping.model(match.selectors), try SelectorMapping.behavior(match.match))
            }
        }
        if let match = fields.federatesWith {
            filter.federatesWith = try decoding("malformed federates with filter") {
                guard !match.trustDomains.isEmpty else { throw Malformed("empty trust domain set") }
                return FederatesWithMatch(
                    try match.trustDomains.map { try TrustDomain($0).id.description },
                    try SelectorMapping.behavior(match.match))
            }
        }
        if fields.downstream == true { filter.downstream = true }
        return filter
    }

    private func decoding<Value>(_ what: String, _ body: () throws -> Value) throws -> Value {
        do {
            return try body()
        } catch {
            throw APIFailure.invalid(what, error)
        }
    }
}

extension PageRequest {
    /// - Returns: `nil` when the caller did not ask for pages.
    init?(size: Int32, token: String) {
        guard size > 0 else { return nil }
        self.init(token: token, size: Int(size))
    }
}
