// SPDX-License-Identifier: Apache-2.0

import AgentCore
import FoundationEssentials
import Groundwork
import Logging
import RPC
import WorkloadProtos

extension WorkloadAPI {
    /// Streams the caller's X.509-SVIDs, now and whenever they, their bundles or their entries change.
    ///
    /// Every update is sent, also one equal to the one before.
    func fetchX509SVID(_ writer: ResponseWriter<Workload_X509SVIDResponse>, _ context: RPCContext) async throws {
        let caller = try await attest(context)
        let subscription = keeper.subscribe(caller.selectors)
        defer { subscription.cancel() }
        var updates = subscription.updates()
        while let update = await updates.next() {
            guard !update.identities.isEmpty else { throw denied(context, caller) }
            let message = try WorkloadMessages.x509SVIDs(update, logger)
            if logger.logLevel <= .debug { log(update, context, caller) }
            try await writer.sendEncoded(message)
        }
        throw ended()
    }

    private func log(_ update: WorkloadUpdate, _ context: RPCContext, _ caller: Caller) {
        let now = time.now
        for identity in update.identities {
            var metadata = fields(context, caller.pid)
            metadata["registered"] = "true"
            metadata[LogKey.spiffeID] = "\(identity.entry.spiffeID)"
            metadata[LogKey.count] = "\(update.identities.count)"
            metadata["ttl"] = "\(identity.svid.notAfter.timeIntervalSince(now))"
            logger.debug("Fetched X.509 SVID", metadata: metadata)
        }
    }
}
