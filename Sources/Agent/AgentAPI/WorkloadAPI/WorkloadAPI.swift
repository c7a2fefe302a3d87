// SPDX-License-Identifier: Apache-2.0

package import AgentCore
package import Groundwork
package import Logging
package import RPC
import Wire
import WorkloadProtos

/// The SPIFFE Workload API. Each RPC is a file: `FetchX509SVID`, `FetchX509Bundles`, `FetchJWTSVID`, `FetchJWTBundles`,
/// `ValidateJWTSVID`; WIT-SVIDs are answered as unimplemented.
/// > Spec: SPIFFE Workload API.
package struct WorkloadAPI: Sendable {
    package struct Configuration: Sendable {
        /// Gives bundles to callers without an identity.
        package var allowsUnauthenticatedVerifiers = false
        /// Claims passed on for tokens of other trust domains besides `sub`, `exp` and `aud`.
        package var foreignClaims: Set<String> = []
        /// Prefixes of selectors that may be written to the log for a caller without identity.
        package var loggedSelectors: [String] = []
        package init() {}
    }

    let keeper: IdentityKeeper
    let attestation: WorkloadAttestation
    let configuration: Configuration
    let limits: CallLimits
    let time: any TimeSource
    let logger: Logger

    package init(
        keeper: IdentityKeeper, attestation: WorkloadAttestation, configuration: Configuration, limits: CallLimits,
        time: any TimeSource, logger: Logger
    ) {
        self.keeper = keeper
        self.attestation = attestation
        self.configuration = configuration
        self.limits = limits
        self.time = time
        self.logger = logger
    }

    /// Adds every method to a table.
    package func register(in table: inout ServiceTable) {
        table.serverStreaming(WorkloadAPIMethods.fetchX509SVID) { _, writer, context in
            try await fetchX509SVID(writer, context)
        }
        table.serverStreaming(WorkloadAPIMethods.fetchX509Bundles) { _, writer, context in
            try await fetchX509Bundles(writer, context)
        }
        table.unary(WorkloadAPIMethods.fetchJWTSVID) { request, context in
            try await fetchJWTSVID(request, context)
        }
        table.serverStreaming(WorkloadAPIMethods.fetchJWTBundles) { _, writer, context in
            try await fetchJWTBundles(writer, context)
        }
        table.unary(WorkloadAPIMethods.validateJWTSVID) { request, context in
            try await validateJWTSVID(request, context)
        }
        table.serverStreaming(WorkloadAPIMethods.fetchWITSVID) { _, _, _ in
            throw RPCStatus(.unimplemented, "fetching WIT-SVIDs is not implemented")
        }
        table.serverStreaming(WorkloadAPIMethods.fetchWITBundles) { _, _, _ in
            throw RPCStatus(.unimplemented, "fetching WIT bundles is not implemented")
        }
    }

    /// A caller whose process was attested.
    struct Caller {
        let pid: Int32
        let selectors: SelectorSet
    }

    /// Attests the caller; called once a stream.
    func attest(_ context: RPCContext) async throws -> Caller {
        guard case .unix(let peer) = context.peerIdentity else {
            throw RPCStatus(.unavailable, "could not resolve caller information")
        }
        // The memory of what had to be waited for would stay with the call, and a call may stay open for weeks.
        if let selectors = try attestation.attestNow(peer) { return try admitted(peer.pid, selectors, context) }
        return try admitted(peer.pid, try await attestation.attest(peer), context)
    }

    private func admitted(_ pid: Int32, _ selectors: SelectorSet, _ context: RPCContext) throws -> Caller {
        try limits.admit(context.method, pid: pid, selectors)
        return Caller(pid: pid, selectors: selectors)
    }

    static let noIdentity = RPCStatus(.permissionDenied, "no identity issued")

    /// Logs that a caller has no identity, and says what to answer.
    func denied(_ context: RPCContext, _ caller: Caller) -> RPCStatus {
        var metadata = fields(context, caller.pid)
        metadata["registered"] = "false"
        let shown = caller.selectors.selectors.map(\.description).filter { text in
            configuration.loggedSelectors.contains { text == $0 || text.hasPrefix($0 + ":") }
        }
        if !shown.isEmpty { metadata[LogKey.selectors] = "\(shown.joined(separator: ","))" }
        logger.error("No identity issued", metadata: metadata)
        return Self.noIdentity
    }

    /// The log fields of a call.
    func fields(_ context: RPCContext, _ pid: Int32) -> Logger.Metadata {
        [LogKey.service: "WorkloadAPI", LogKey.method: "\(context.method.name)", LogKey.pid: "\(pid)"]
    }

    /// The error of a stream whose updates ended: the caller left, or the agent stops.
    func ended() -> any Error {
        Task.isCancelled ? CancellationError() : RPCStatus(.unavailable, "agent is shutting down")
    }
}
