// SPDX-License-Identifier: Apache-2.0

/// The plugins a configuration asks for, decoded: what there is to build.
package struct AgentPlugins: Sendable, Hashable {
    /// The one key manager.
    package enum KeyManager: Sendable, Hashable {
        case memory
        /// Keeps `keys.json` in `directory`.
        case disk(directory: String)

        /// `memory` or `disk`, for logs.
        package var name: String {
            switch self {
            case .memory: "memory"
            case .disk: "disk"
            }
        }
    }

    /// Settings of `WorkloadAttestor "unix"`.
    package struct Unix: Sendable, Hashable {
        /// Adds the `path` and `sha256` selectors.
        package var discoversWorkloadPath = false
        /// Largest executable that is hashed, in bytes; 0 is no limit, negative never hashes.
        package var workloadSizeLimit: Int64 = 0
        package init() {}
    }

    /// A workload attestor.
    package enum WorkloadAttestor: Sendable, Hashable {
        case unix(Unix)
    }

    package var keyManager: KeyManager
    /// Name of the node attestor; `join_token` is the one there is so far.
    package var nodeAttestor: String
    /// In file order; at least one.
    package var workloadAttestors: [WorkloadAttestor]

    package init(keyManager: KeyManager, nodeAttestor: String, workloadAttestors: [WorkloadAttestor]) {
        self.keyManager = keyManager
        self.nodeAttestor = nodeAttestor
        self.workloadAttestors = workloadAttestors
    }
}
