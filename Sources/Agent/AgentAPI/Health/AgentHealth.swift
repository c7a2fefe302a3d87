// SPDX-License-Identifier: Apache-2.0

import APIProtos
import AgentCore
package import RPC
package import Wire

/// The gRPC health service of the agent: healthy while a workload could be served, with or without an identity.
/// > Spec: gRPC health checking protocol.
package struct AgentHealth: Sendable {
    private let attestation: WorkloadAttestation
    private let ownProcess: any UnixPeer
    private let isWorkloadAPIServed: Bool

    /// - Parameter ownProcess: The agent itself, which is attested like any caller.
    package init(attestation: WorkloadAttestation, ownProcess: any UnixPeer, isWorkloadAPIServed: Bool) {
        self.attestation = attestation
        self.ownProcess = ownProcess
        self.isWorkloadAPIServed = isWorkloadAPIServed
    }

    /// Adds the service to a table.
    package func register(in table: inout ServiceTable) {
        table.unary(HealthMethods.check) { request, _ in
            guard request.service.isEmpty else {
                throw RPCStatus(.invalidArgument, "per-service health is not supported")
            }
            var response = Grpc_Health_V1_HealthCheckResponse()
            response.status = await isHealthy() ? .serving : .notServing
            return response
        }
        table.unary(HealthMethods.list) { _, _ in
            throw RPCStatus(.unimplemented, "method List not implemented")
        }
        table.serverStreaming(HealthMethods.watch) { _, _, _ in
            throw RPCStatus(.unimplemented, "method Watch not implemented")
        }
    }

    /// Whether callers can be attested: what a caller without identity is told is an answer too.
    package func isHealthy() async -> Bool {
        guard isWorkloadAPIServed else { return true }
        return (try? await attestation.attest(ownProcess)) != nil
    }
}
