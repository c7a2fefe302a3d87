// SPDX-License-Identifier: Apache-2.0

package import APIProtos
package import Datastore
import FoundationEssentials
package import Groundwork
import Logging
package import RPC
package import SPIFFE
import SwiftProtobuf

/// `swiftspire.server.explain.v1.Explain`: says why a process gets the identities it gets, and why not others.
package struct ExplainService: APIService {
    package typealias Request = Swiftspire_Server_Explain_V1_ExplainEntriesRequest
    package typealias Response = Swiftspire_Server_Explain_V1_ExplainEntriesResponse
    private typealias Link = Swiftspire_Server_Explain_V1_ParentLink

    /// Most selectors a process is described by.
    private static let mostSelectors = 400
    private static let largestLimit = 1000

    private let ids: IDRules
    private let mapping: EntryMapping
    private let store: any EntryReader & NodeReader
    private let time: any TimeSource

    package init(trustDomain: TrustDomain, store: any EntryReader & NodeReader, time: any TimeSource) {
        ids = IDRules(trustDomain)
        mapping = EntryMapping(ids)
        self.store = store
        self.time = time
    }

    package func add(to table: inout ServiceTable) {
        table.serve(ExplainMethods.explainEntries, explain)
    }

    package func explain(_ request: Request, _ call: Call) async throws -> Response {
        let question = try question(request)
        call.audit(audit(question))
        let explanation: EntryExplanation
        do {
            explanation = try await EntryExplanation(
                question, store: store, domain: ids.trustDomain.id.description,
                now: Int64(time.now.timeIntervalSince1970))
        } catch {
            throw APIFailure.datastore("failed to read entries", error)
        }
        var response = Response()
        if let agent = explanation.agent { response.agent = proto(agent) }
        response.matching = explanation.matching.compactMap(proto)
        response.near = explanation.near.compactMap(proto)
        response.examined = Int32(clamping: explanation.examined)
        response.truncated = explanation.truncated
        return response
    }

    private func question(_ request: Request) throws -> ExplainQuestion {
        var question = ExplainQuestion()
        func named<Value>(_ what: String, _ body: () throws -> Value) throws -> Value {
            do { return try body() } catch { throw APIFailure.invalid(what, error) }
        }
        if request.hasAgentID {
            question.agentID = try named("invalid agent ID") { try ids.agent(request.agentID).description }
        }
        if request.hasSpiffeID {
            question.spiffeID = try named("invalid SPIFFE ID") { try ids.workload(request.spiffeID).description }
        }
        guard request.selectors.count <= Self.mostSelectors else {
            throw APIFailure.invalid("at most \(Self.mostSelectors) selectors, not \(request.selectors.count)")
        }
        question.selectors = Set(try named("invalid selectors") { try SelectorMapping.model(request.selectors) })
        guard question.spiffeID != nil || !question.selectors.isEmpty else {
            throw APIFailure.invalid("the request must name selectors or a SPIFFE ID")
        }
        guard request.limit >= 0 else { throw APIFailure.invalid("limit must not be negative") }
        if request.limit > 0 { question.limit = min(Int(request.limit), Self.largestLimit) }
        return question
    }

    private func audit(_ question: ExplainQuestion) -> Logger.Metadata {
        var fields: Logger.Metadata = [:]
        if let id = question.agentID { fields[LogKey.agentID] = "\(id)" }
        if let id = question.spiffeID { fields[LogKey.spiffeID] = "\(id)" }
        if !question.selectors.isEmpty {
            fields[LogKey.selectors] = "\(SelectorMapping.text(SelectorMapping.proto(question.selectors.sorted())))"
        }
        return fields
    }

    // MARK: As messages

    private func proto(_ agent: ExplainedAgent) -> Swiftspire_Server_Explain_V1_AgentFinding {
        .with {
            $0.state =
                switch agent.state {
                case .active: .active
                case .unknown: .unknown
                case .expired: .expired
                case .banned: .banned
                }
            $0.expiresAt = agent.expiresAt
            $0.selectors = SelectorMapping.proto(agent.selectors.sorted())
        }
    }

    private func proto(_ finding: EntryFinding) -> Swiftspire_Server_Explain_V1_EntryFinding? {
        guard let entry = mapping.proto(finding.entry, mask: .all) else { return nil }
        return .with {
            $0.entry = entry
            $0.missing = SelectorMapping.proto(finding.missing)
            $0.expired = finding.expired
            $0.reachesAgent = finding.parents.reaches
            $0.parents = finding.parents.steps.map(proto)
        }
    }

    private func proto(_ step: ParentStep) -> Link {
        .with {
            $0.depth = Int32(clamping: step.depth)
            if let id = ids.proto(step.id) { $0.id = id }
            $0.outcome = Self.outcome(step.outcome)
            $0.entryID = step.entryID
            $0.missing = SelectorMapping.proto(step.missing)
        }
    }

    private static func outcome(_ outcome: ParentStep.Outcome) -> Link.Outcome {
        switch outcome {
        case .agent: .agent
        case .entry: .entry
        case .alias: .alias
        case .noSuchParent: .noSuchParent
        case .otherAgent: .otherAgent
        case .aliasLacksSelectors: .aliasLacksSelectors
        case .agentExpired: .agentExpired
        case .agentBanned: .agentBanned
        case .agentUnknown: .agentUnknown
        case .cycle: .cycle
        case .tooLong: .tooLong
        case .isAlias: .isAlias
        }
    }
}
