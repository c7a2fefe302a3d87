// SPDX-License-Identifier: Apache-2.0

import AgentCore
import NIOCore
import RPC
import WorkloadProtos

extension WorkloadAPI {
    /// Streams the X.509 bundles the caller may verify with, now and whenever they change.
    func fetchX509Bundles(_ writer: ResponseWriter<Workload_X509BundlesResponse>, _ context: RPCContext) async throws {
        try await streamBundles(writer, context) { try WorkloadMessages.x509Bundles($0, ownOnly: $1) }
    }

    /// Sends a message for each update unless it equals the one before.
    /// - Parameter encode: Given whether the caller is without identity, and so gets the agent's own bundle only.
    func streamBundles<Response>(
        _ writer: ResponseWriter<Response>, _ context: RPCContext,
        _ encode: (WorkloadUpdate, Bool) throws -> ByteBuffer
    ) async throws {
        let caller = try await attest(context)
        let subscription = keeper.subscribe(caller.selectors)
        defer { subscription.cancel() }
        var updates = subscription.updates()
        var previous: ByteBuffer?
        while let update = await updates.next() {
            let isAnonymous = update.identities.isEmpty
            guard !isAnonymous || configuration.allowsUnauthenticatedVerifiers else {
                throw denied(context, caller)
            }
            let message = try encode(update, isAnonymous)
            guard message != previous else { continue }
            previous = message
            try await writer.sendEncoded(message)
        }
        throw ended()
    }
}
