// SPDX-License-Identifier: Apache-2.0

import RPC
import WorkloadProtos

extension WorkloadAPI {
    /// Streams the JWT bundles the caller may validate with, now and whenever they change.
    func fetchJWTBundles(_ writer: ResponseWriter<Workload_JWTBundlesResponse>, _ context: RPCContext) async throws {
        try await streamBundles(writer, context) { try WorkloadMessages.jwtBundles($0, ownOnly: $1) }
    }
}
