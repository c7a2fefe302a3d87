// SPDX-License-Identifier: Apache-2.0

package import Datastore
package import Groundwork
package import Logging
package import RPC
package import SPIFFE
import Synchronization
import Wire

/// One authorized call as its handler sees it: who calls, as what, and where to report.
///
/// A class, because it is made once a call and only passed on from there.
package final class Call: Sendable {
    /// As what the caller was let in.
    package enum Role: String, Sendable {
        case nobody, local, admin, downstream, agent
    }

    /// How that was found out.
    package enum Evidence: String, Sendable {
        case none = ""
        case transport, config, entries, datastore
    }

    package let context: RPCContext
    package let role: Role
    package let evidence: Evidence
    /// The caller's identity, if it showed a certificate.
    package let callerID: SPIFFEID?
    /// The caller's address, `host:port`; `nil` for local callers.
    package let address: String?
    /// The caller's entries that make it a downstream server.
    package let downstreamEntries: [RegistrationEntry]
    /// What the caller is limited to, if it is a scoped administrator: its handlers keep within it.
    package let grant: ScopeGrant?

    private let row: AuthorizationRow?
    private let environment: CallEnvironment
    private let state = Mutex(State())

    private struct State {
        var requestID: String?
        var auditFields: Logger.Metadata = [:]
        var itemsAudited = false
    }

    package init(
        context: RPCContext, role: Role, evidence: Evidence = .none, callerID: SPIFFEID? = nil,
        address: String? = nil, downstreamEntries: [RegistrationEntry] = [], grant: ScopeGrant? = nil,
        row: AuthorizationRow? = nil, environment: CallEnvironment
    ) {
        self.context = context
        self.role = role
        self.evidence = evidence
        self.callerID = callerID
        self.address = address
        self.downstreamEntries = downstreamEntries
        self.grant = grant
        self.row = row
        self.environment = environment
    }

    /// The authorized call an `Authorizer` left in the context.
    /// - Throws: `internal` when the method was reached without one.
    static func of(_ context: RPCContext) throws -> Call {
        guard let call = context.caller as? Call else {
            throw RPCStatus(.internal, "caller missing from request context")
        }
        return call
    }

    /// The calling agent's or downstream server's ID.
    package func requireID() throws -> SPIFFEID {
        guard let callerID else { throw APIFailure(.internal, "caller ID missing from request context") }
        return callerID
    }

    /// Draws from the method's bucket; waits up to the call's deadline.
    /// - Throws: `resourceExhausted`.
    package func limit(cost: Int) async throws {
        guard let rate = row?.rate, let address else { return }
        do {
            try await environment.limits.draw(rate.bucket, address: address, cost: cost, deadline: context.deadline)
        } catch let status as RPCStatus {
            throw APIFailure(status.code, rate.refusal, cause: status.message)
        }
    }

    // MARK: Logging

    /// The logger of this call, with who and what in its fields. Made on demand: most calls log nothing.
    package var logger: Logger {
        var logger = environment.logger
        for (key, value) in baseFields { logger[metadataKey: key] = value }
        logger[metadataKey: "authorized_as"] = "\(role.rawValue)"
        logger[metadataKey: "authorized_via"] = "\(evidence.rawValue)"
        return logger
    }

    /// Logs at debug level; the fields are only made when somebody reads them.
    package func debug(_ message: Logger.Message, _ fields: @autoclosure () -> Logger.Metadata) {
        guard environment.logger.logLevel <= .debug else { return }
        logger.debug(message, metadata: fields())
    }

    /// Logs a failed call or item and returns what to send.
    @discardableResult
    package func report(_ error: any Error, fields: Logger.Metadata = [:]) -> RPCStatus {
        let status = APIFailure.status(of: error)
        if error is CancellationError || status.code == .cancelled { return status }
        var fields = fields
        if let failure = error as? APIFailure {
            if let cause = failure.cause, failure.code != .notFound { fields[LogKey.error] = "\(cause)" }
            logger.error("\(failure.logMessage)", metadata: fields)
        } else {
            fields[LogKey.error] = "\(status.message)"
            logger.error("Call failed", metadata: fields)
        }
        return status
    }

    private var requestID: String {
        state.withLock { state in
            if let id = state.requestID { return id }
            let id = environment.random.uuid()
            state.requestID = id
            return id
        }
    }

    private var baseFields: Logger.Metadata {
        var fields: Logger.Metadata = [
            LogKey.service: "\(Self.shortName(context.method.service))", LogKey.method: "\(context.method.name)",
            LogKey.requestID: "\(requestID)",
        ]
        if let address { fields[LogKey.callerAddress] = "\(address)" }
        if let callerID { fields[LogKey.callerID] = "\(callerID)" }
        return fields
    }

    static func shortName(_ service: String) -> String {
        for prefix in ["spire.api.server.", "grpc.health.v1."] where service.hasPrefix(prefix) {
            let rest = String(service.dropFirst(prefix.count))
            return rest == "logger.v1.Logger" ? "Logger" : rest
        }
        return service
    }

    // MARK: Audit

    /// Whether this call is to be audited: check before collecting fields.
    package var isAudited: Bool { environment.auditEnabled && row?.isAudited ?? false }

    /// Adds fields to the one line a unary call leaves.
    package func audit(_ fields: @autoclosure () -> Logger.Metadata) {
        guard isAudited else { return }
        let fields = fields()
        state.withLock { $0.auditFields.merge(fields) { $1 } }
    }

    /// Leaves a line for one item of a batch.
    package func auditItem(_ status: RPCStatus?, _ fields: @autoclosure () -> Logger.Metadata) {
        guard isAudited else { return }
        state.withLock { $0.itemsAudited = true }
        auditLine(status, fields())
    }

    /// Leaves the line of the whole call, unless its items have left theirs.
    func auditEnd(_ status: RPCStatus?) {
        guard isAudited else { return }
        let (fields, itemsAudited) = state.withLock { ($0.auditFields, $0.itemsAudited) }
        if itemsAudited, status == nil { return }
        auditLine(status, fields)
    }

    private func auditLine(_ status: RPCStatus?, _ fields: Logger.Metadata) {
        var fields = fields
        fields["type"] = "audit"
        fields[LogKey.status] = status == nil ? "success" : "error"
        if let status {
            fields["status_code"] = "\(status.code.goName)"
            fields["status_message"] = "\(status.message)"
        }
        if case .unix(let peer) = context.peerIdentity {
            fields[LogKey.callerUID] = "\(peer.uid)"
            fields[LogKey.callerGID] = "\(peer.gid)"
            if let path = environment.executable(peer.pid) { fields[LogKey.callerPath] = "\(path)" }
        }
        logger.info("API accessed", metadata: fields)
    }
}

/// What all calls of a server share.
package struct CallEnvironment: Sendable {
    package var logger: Logger
    package var random: any RandomSource
    package var limits: RateLimits
    package var auditEnabled: Bool
    /// The executable of a local process, for audit lines.
    package var executable: @Sendable (Int32) -> String?

    package init(
        logger: Logger, random: any RandomSource, limits: RateLimits, auditEnabled: Bool = false,
        executable: @escaping @Sendable (Int32) -> String? = { _ in nil }
    ) {
        self.logger = logger
        self.random = random
        self.limits = limits
        self.auditEnabled = auditEnabled
        self.executable = executable
    }
}
