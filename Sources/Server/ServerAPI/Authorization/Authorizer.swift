// SPDX-License-Identifier: Apache-2.0

import APIProtos
package import Datastore
import Groundwork
import Logging
package import RPC
package import SPIFFE
import Wire

/// Stands before every call: finds out who calls, decides by the table, draws from the rate limit, and reports the end.
package struct Authorizer: ServerInterceptor {
    package let table: AuthorizationTable
    /// IDs with administrator rights by configuration.
    package let adminIDs: Set<SPIFFEID>
    /// IDs with some of an administrator's rights by configuration. They have no others, whatever entries say.
    package let scopedAdmins: [SPIFFEID: AdminScope]
    package let entries: any EntryReader
    package let agents: AgentCheck
    package let environment: CallEnvironment

    package init(
        table: AuthorizationTable = .standard, adminIDs: Set<SPIFFEID>, scopedAdmins: [SPIFFEID: AdminScope] = [:],
        entries: any EntryReader, agents: AgentCheck, environment: CallEnvironment
    ) {
        self.table = table
        self.adminIDs = adminIDs
        self.scopedAdmins = scopedAdmins
        self.entries = entries
        self.agents = agents
        self.environment = environment
    }

    package func admitNow(_ context: RPCContext) throws -> RPCContext? {
        let row = try row(of: context)
        let caller = Caller(context.peerIdentity)
        // A rate limit may have to wait.
        if row.rate != nil, caller.address != nil { return nil }
        guard let call = decideNow(row, caller, context) else { return nil }
        return admitted(call, context)
    }

    package func admit(_ context: RPCContext) async throws -> RPCContext {
        let row = try row(of: context)
        let caller = Caller(context.peerIdentity)
        let call: Call
        if let decided = decideNow(row, caller, context) {
            call = decided
        } else {
            call = try await decide(row, caller, context)
        }
        if let rate = row.rate, !rate.costFromRequest {
            do {
                try await call.limit(cost: 1)
            } catch {
                throw call.report(error)
            }
        }
        return admitted(call, context)
    }

    package func finished(_ context: RPCContext, status: RPCStatus?, elapsed: Duration) {
        guard environment.isAuditing, let call = context.caller as? Call else { return }
        call.auditEnd(status)
    }

    private func admitted(_ call: Call, _ context: RPCContext) -> RPCContext {
        var context = context
        context.caller = call
        return context
    }

    private func row(of context: RPCContext) throws -> AuthorizationRow {
        guard let row = table[context.method] else { throw denial(context.method, nil) }
        return row
    }

    /// The decisions that need no stored state, in the order of SPIRE's policy.
    private func decideNow(_ row: AuthorizationRow, _ caller: Caller, _ context: RPCContext) -> Call? {
        let allowed = row.callers
        if allowed.contains(.anyone) { return call(.nobody, .none, row, caller, context) }
        if allowed.contains(.local), caller.isLocal { return call(.local, .transport, row, caller, context) }
        if allowed.contains(.admin), let id = caller.id {
            if let scope = scopedAdmins[id] {
                if scope.permits(row.method) {
                    return call(.admin, .config, row, caller, context, grant: ScopeGrant(scope, entries: entries))
                }
            } else if adminIDs.contains(id) {
                return call(.admin, .config, row, caller, context)
            }
        }
        return nil
    }

    private func decide(_ row: AuthorizationRow, _ caller: Caller, _ context: RPCContext) async throws -> Call {
        let unauthorized = call(.nobody, .none, row, caller, context)
        var reason: AgentRefusal?
        if let id = caller.id, !row.callers.isDisjoint(with: [.admin, .downstream]) {
            let own: [RegistrationEntry]
            do {
                var filter = EntryFilter()
                filter.spiffeID = id.description
                own = try await entries.listEntries(filter, page: nil).items
            } catch {
                throw refused(unauthorized, APIFailure.internal("failed to fetch caller entries", error).status)
            }
            if row.callers.contains(.admin), scopedAdmins[id] == nil, own.contains(where: \.admin) {
                return call(.admin, .entries, row, caller, context)
            }
            let downstream = own.filter(\.downstream)
            if row.callers.contains(.downstream), !downstream.isEmpty {
                return call(.downstream, .entries, row, caller, context, downstream: downstream)
            }
        }
        if row.callers.contains(.agent), case .mutualTLS(let leaf, let id, _) = context.peerIdentity {
            do {
                try await agents.check(id: id, leaf: leaf)
                return call(.agent, .datastore, row, caller, context)
            } catch let refusal as AgentRefusal {
                unauthorized.logger.error("\(refusal.logMessage)")
                reason = refusal
            } catch {
                throw refused(unauthorized, APIFailure.status(of: error))
            }
        }
        throw refused(unauthorized, denial(context.method, reason))
    }

    private func call(
        _ role: Call.Role, _ evidence: Call.Evidence, _ row: AuthorizationRow, _ caller: Caller,
        _ context: RPCContext, downstream: [RegistrationEntry] = [], grant: ScopeGrant? = nil
    ) -> Call {
        Call(
            context: context, role: role, evidence: evidence, callerID: caller.id, address: caller.address,
            downstreamEntries: downstream, grant: grant, row: row, environment: environment)
    }

    private func refused(_ call: Call, _ status: RPCStatus) -> RPCStatus {
        var logger = call.logger
        logger[metadataKey: "authorized_as"] = nil
        logger[metadataKey: "authorized_via"] = nil
        logger.error("Failed to authenticate caller", metadata: [LogKey.error: "\(status)"])
        // Whoever may connect is turned away as often as it likes, as in the original without a line in the audit log; an
        // administrator that tries for more than it was given leaves one.
        if let id = call.callerID, scopedAdmins[id] != nil { call.auditEnd(status) }
        return status
    }

    private func denial(_ method: MethodPath, _ refusal: AgentRefusal?) -> RPCStatus {
        RPCStatus(
            .permissionDenied, "authorization denied for method \(method)",
            details: refusal.map { [$0.detail] } ?? [])
    }
}

/// The caller as its connection shows it.
struct Caller: Sendable {
    let isLocal: Bool
    let id: SPIFFEID?
    let address: String?

    init(_ peer: PeerIdentity) {
        switch peer {
        case .unix, .inProcess:
            (isLocal, id, address) = (true, nil, nil)
        case .mutualTLS(_, let id, let address):
            (isLocal, self.id, self.address) = (false, id, address)
        case .tlsAnonymous(let address):
            (isLocal, id, self.address) = (false, nil, address)
        }
    }
}
