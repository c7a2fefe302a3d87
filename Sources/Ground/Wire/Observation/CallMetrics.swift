// SPDX-License-Identifier: Apache-2.0

package import Groundwork
package import RPC
package import Telemetry

/// Counters of calls by method, under the names SPIRE gives them.
package struct MethodCounters: Sendable {
    private let counters: [MethodPath: CallCounter]

    /// Counts nothing.
    package static let off = MethodCounters([:])

    private init(_ counters: [MethodPath: CallCounter]) { self.counters = counters }

    /// - Parameter first: The first part of the names: `rpc`, `rateLimit`.
    package init(_ first: String, _ methods: some Sequence<MethodPath>, _ meter: Meter) {
        guard meter.isOn else {
            self = .off
            return
        }
        counters = Dictionary(
            methods.map { ($0, meter.call([first] + MethodNames.parts($0))) }, uniquingKeysWith: { first, _ in first })
    }

    package subscript(method: MethodPath) -> CallCounter { counters[method] ?? .off }

    package var isOn: Bool { !counters.isEmpty }
}

/// Counts every call of a server, those that are refused too. Belongs before all other interceptors.
package struct CallMetrics: ServerInterceptor {
    private let counters: MethodCounters

    package init(_ table: ServiceTable, _ meter: Meter) { counters = MethodCounters("rpc", table.methods, meter) }

    package func admit(_ context: RPCContext) async throws -> RPCContext { context }
    package func admitNow(_ context: RPCContext) throws -> RPCContext? { context }

    package func finished(_ context: RPCContext, status: RPCStatus?, elapsed: Duration) {
        counters[context.method].record(status?.wireStatus ?? .ok, elapsed)
    }
}

/// Method names as parts of metric names.
package enum MethodNames {
    private static let shortNames = [
        "grpc.health.v1.Health": "Health",
        "spire.api.server.logger.v1.Logger": "Logger",
        "SpiffeWorkloadAPI": "WorkloadAPI",
        "envoy.service.secret.v3.SecretDiscoveryService": "SDS.v3",
        "spire.api.agent.logger.v1.Logger": "Logger",
        "spire.api.agent.debug.v1.Debug": "Debug",
        "spire.api.agent.delegatedidentity.v1.DelegatedIdentity": "DelegatedIdentity",
    ]

    /// `spire.api.server.agent.v1.Agent`, `AttestAgent` is `agent`, `v1`, `agent`, `attest_agent`.
    package static func parts(_ method: MethodPath) -> [String] {
        let service: String
        if let short = shortNames[method.service] {
            service = short
        } else if method.service.hasPrefix("spire.api.server.") {
            service = String(method.service.dropFirst("spire.api.server.".count))
        } else {
            service = method.service
        }
        // The one name the rule below does not give.
        let name =
            method.name == "SubscribeToX509SVIDs" ? "subscribe_to_x509_svids" : snake(method.name)
        return service.split(separator: ".").map { snake(String($0)) } + [name]
    }

    /// An underscore goes before an upper-case letter that is neither first nor last and has a lower-case neighbour.
    static func snake(_ name: String) -> String {
        let letters = Array(name.unicodeScalars)
        var out = ""
        for (place, letter) in letters.enumerated() {
            if place > 0, place < letters.count - 1, letter.properties.isUppercase,
                letters[place - 1].properties.isLowercase || letters[place + 1].properties.isLowercase
            {
                out += "_"
            }
            let isPlain = letter.properties.isAlphabetic || letter.properties.numericType != nil
            out += isPlain ? letter.properties.lowercaseMapping : "_"
        }
        return out
    }
}

extension RPCStatus: WireStatusCarrying {
    package var wireStatus: WireStatus { WireStatus(rawValue: code.rawValue) ?? .unknown }
}
