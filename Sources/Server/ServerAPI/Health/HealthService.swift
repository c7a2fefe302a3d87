// SPDX-License-Identifier: Apache-2.0

package import APIProtos
import Datastore
package import RPC
import SwiftProtobuf

/// `grpc.health.v1.Health`: whether the server can do its work, which is to say whether it can read its own bundle.
package struct HealthService: APIService {
    let bundles: BundleCache

    package init(bundles: BundleCache) { self.bundles = bundles }

    package func add(to table: inout ServiceTable) {
        table.serve(HealthMethods.check, check)
        table.serve(HealthMethods.list) { _, _ in throw Self.unimplemented("List") }
        table.serverStreaming(HealthMethods.watch) { _, _, _ in throw Self.unimplemented("Watch").status }
    }

    package func check(
        _ request: Grpc_Health_V1_HealthCheckRequest, _ call: Call
    ) async throws -> Grpc_Health_V1_HealthCheckResponse {
        guard request.service.isEmpty else { throw APIFailure.invalid("per-service health is not supported") }
        let bundle = try? await bundles.fresh(bundles.trustDomain)
        return .with { $0.status = bundle == nil ? .notServing : .serving }
    }

    private static func unimplemented(_ method: String) -> APIFailure {
        APIFailure(.unimplemented, "method \(method) not implemented")
    }
}
