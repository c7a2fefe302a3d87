// SPDX-License-Identifier: Apache-2.0

import AgentAPI
import AgentCore
import Groundwork
import Logging
import NIOCore
import RPC
import ServiceLifecycle
import Wire

/// The running agent: what is started, in order, and what its end means.
///
/// 1. Enrolment: the stored identity or node attestation, tried until patience ends.
/// 2. The keeper's first synchronisation, tried likewise.
/// 3. The public socket, and the keeper's loops. Whichever ends first ends the agent.
///
/// On a graceful stop streams break at once, as workloads expect: they reconnect to the next agent.
struct Agent: Service {
    let parts: AgentParts

    func run() async throws {
        do {
            try await cancelWhenGracefulShutdown { try await serve() }
        } catch is CancellationError {
            return
        }
    }

    private func serve() async throws {
        let enrolled = try await parts.enrollment.run()
        if parts.keyManagerName == "memory", !enrolled.svid.isReattestable {
            parts.logger.warning(
                "Node attestation is not reattestable and the 'memory' key manager is in use; if the agent process is restarted, it will be unable to obtain a new SVID and will need to be manually evicted to be able to re-attest."
            )
        }
        let (keeper, client) = Composition.keeper(parts, enrolled)
        do {
            try await keeper.initialize()
            try await serve(keeper)
        } catch {
            keeper.close()
            await client.close()
            throw error
        }
        keeper.close()
        await client.close()
    }

    private func serve(_ keeper: IdentityKeeper) async throws {
        let config = parts.config
        guard !(config.workloadAPIIsDisabled && config.sdsAPIIsDisabled) else {
            parts.liveness.serving(nil)
            return try await keeper.run()
        }
        let endpoints = parts.logger.inSubsystem("endpoints")
        let (server, isHealthy) = Composition.publicServer(parts, keeper)
        let listener = try await UnixListener.bind(
            path: config.socketPath, mode: 0o777, group: parts.group, server: server)
        let apis: Logger.Metadata = ["apis": "Workload API"]
        var fields = apis
        fields[LogKey.address] = .dictionary(["Name": "\(config.socketPath)", "Net": "unix"])
        fields[LogKey.network] = "unix"
        endpoints.info("Starting agent APIs", metadata: fields)
        parts.liveness.serving(isHealthy)
        let ended: Result<Void, any Error>
        do {
            try await keeper.run()
            ended = .success(())
        } catch {
            ended = .failure(error)
        }
        endpoints.info("Stopping agent APIs", metadata: apis)
        await listener.close()
        await server.drain(within: .zero)
        try ended.get()
    }
}
