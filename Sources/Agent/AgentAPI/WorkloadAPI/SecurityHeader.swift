// SPDX-License-Identifier: Apache-2.0

package import RPC

/// Refuses Workload API calls without the header that keeps a confused proxy or browser from making them.
/// > Spec: SPIFFE Workload Endpoint §6.1.
package struct SecurityHeader: ServerInterceptor {
    private static let name = "workload.spiffe.io"
    private static let service = "SpiffeWorkloadAPI"

    package init() {}

    package func admit(_ context: RPCContext) async throws -> RPCContext { try check(context) }

    package func admitNow(_ context: RPCContext) throws -> RPCContext? { try check(context) }

    private func check(_ context: RPCContext) throws -> RPCContext {
        guard context.method.service == Self.service else { return context }
        var values = 0
        var isTrue = false
        for pair in context.metadata.pairs where pair.name == Self.name {
            values += 1
            isTrue = pair.value == "true"
        }
        guard values == 1, isTrue else {
            throw RPCStatus(.invalidArgument, "security header missing from request")
        }
        return context
    }
}
