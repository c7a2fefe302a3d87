// SPDX-License-Identifier: Apache-2.0

import HCL
import Telemetry

extension AgentConfig {
    /// Keys that are known and read, but whose work is not done yet. Delete a line when its work is done.
    static let pending: [PendingKey<AgentConfig>] = [
        PendingKey("agent.admin_socket_path") { !$0.adminSocketPath.isEmpty },
        PendingKey("agent.trust_bundle_spiffe_workload_api") {
            if case .workloadAPI = $0.bootstrap { true } else { false }
        },
        PendingKey("agent.authorized_delegates") { !$0.authorizedDelegates.isEmpty },
        PendingKey("agent.sds") { $0.sds != SDS() },
        PendingKey("agent.profiling_enabled") { $0.profiling.isEnabled },
        PendingKey("agent.experimental.ratelimit.stream_secrets") { $0.experimental.rateLimit.streamSecrets != 0 },
        PendingKey("agent.experimental.ratelimit.fetch_secrets") { $0.experimental.rateLimit.fetchSecrets != 0 },
        PendingKey("agent.experimental.broker") { $0.experimental.broker != nil },
        PendingKey("telemetry.M3") { !$0.telemetry.m3.isEmpty },
    ]

    /// Every kind of plugin with its built-in names. Move a name to `implemented` when it is built.
    static let pluginKinds: [PluginKind] = [
        PluginKind("KeyManager", implemented: ["disk", "memory"], pending: [], count: 1...1),
        PluginKind(
            "NodeAttestor", implemented: ["join_token"],
            pending: [
                "aws_iid", "azure_msi", "azure_imds", "gcp_iit", "http_challenge", "k8s_psat", "sshpop", "tpm_devid",
                "x509pop",
            ], count: 1...1),
        PluginKind(
            "WorkloadAttestor", implemented: ["unix"], pending: ["docker", "k8s", "systemd", "slurm", "windows"],
            count: 1...Int.max),
        PluginKind(
            "SVIDStore", implemented: [], pending: ["aws_secretsmanager", "gcp_secretmanager"], count: 0...Int.max),
    ]
}
