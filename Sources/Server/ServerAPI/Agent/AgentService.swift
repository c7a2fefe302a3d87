// SPDX-License-Identifier: Apache-2.0

import APIProtos
package import Authority
package import Datastore
package import Groundwork
package import PluginAPI
package import RPC
package import SPIFFE

/// `spire.api.server.agent.v1.Agent`: attests, renews, lists, bans and evicts agents, and makes join tokens.
package struct AgentService: APIService {
    package typealias Store = NodeReader & NodeWriter & JoinTokenStore & EntryWriter

    let ids: IDRules
    let mapping: AgentMapping
    let store: any Store
    let issuer: any SVIDIssuer
    let attestors: [String: any ServerNodeAttestor]
    let options: Options
    let time: any TimeSource
    let random: any RandomSource

    /// Choices of the configuration.
    package struct Options: Sendable {
        /// Whether agents may attest with join tokens.
        package var joinTokens = true
        /// Whether every agent gets the selector `spiffe_id:<its id>`.
        package var agentIDAsSelector = false
        package init() {}
    }

    package init(
        trustDomain: TrustDomain, store: any Store, issuer: any SVIDIssuer,
        attestors: [String: any ServerNodeAttestor] = [:], options: Options = Options(),
        time: any TimeSource, random: any RandomSource
    ) {
        ids = IDRules(trustDomain)
        mapping = AgentMapping(ids: ids)
        self.store = store
        self.issuer = issuer
        self.attestors = attestors
        self.options = options
        self.time = time
        self.random = random
    }

    package func add(to table: inout ServiceTable) {
        table.serve(AgentMethods.countAgents, count)
        table.serve(AgentMethods.listAgents, list)
        table.serve(AgentMethods.getAgent, get)
        table.serve(AgentMethods.deleteAgent, delete)
        table.serve(AgentMethods.banAgent, ban)
        table.serve(AgentMethods.attestAgent, attest)
        table.serve(AgentMethods.renewAgent, renew)
        table.serve(AgentMethods.createJoinToken, createJoinToken)
        table.serve(AgentMethods.postStatus, postStatus)
    }

    /// The agent a request names.
    func agentID(_ id: Spire_Api_Types_SPIFFEID?) throws -> SPIFFEID {
        do {
            return try ids.agent(id)
        } catch {
            throw APIFailure.invalid("invalid agent ID", error)
        }
    }
}
