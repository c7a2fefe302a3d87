// SPDX-License-Identifier: Apache-2.0

package import RPC
import Synchronization
package import Telemetry

/// Counts the calls of some services that begin, and shows how many are going on.
package struct CallGauge: ServerInterceptor {
    private struct Service: Sendable {
        let began: Counter
        let open: Gauge
        let count = Count()
    }
    private final class Count: Sendable {
        let value = Atomic<Int>(0)
    }
    private let services: [String: Service]

    /// - Parameter keys: The first part of the names by full service name: `workload_api` makes
    ///   `workload_api.connection` and `workload_api.connections`.
    package init(_ keys: [String: String], _ meter: Meter) {
        services = keys.mapValues {
            Service(began: meter.counter([$0, "connection"]), open: meter.gauge([$0, "connections"]))
        }
    }

    package func admit(_ context: RPCContext) async throws -> RPCContext { began(context) }
    package func admitNow(_ context: RPCContext) throws -> RPCContext? { began(context) }

    private func began(_ context: RPCContext) -> RPCContext {
        if let service = services[context.method.service] {
            service.began.add()
            service.open.set(Double(service.count.value.add(1, ordering: .relaxed).newValue))
        }
        return context
    }

    package func finished(_ context: RPCContext, status: RPCStatus?, elapsed: Duration) {
        guard let service = services[context.method.service] else { return }
        service.open.set(Double(service.count.value.subtract(1, ordering: .relaxed).newValue))
    }
}
