// SPDX-License-Identifier: Apache-2.0

import HCL
import Telemetry

extension ServerConfig {
    /// Keys that are known and read, but whose work is not done yet. Delete a line when its work is done.
    static let pending: [PendingKey<ServerConfig>] = [
        PendingKey("server.profiling_enabled") { $0.profiling.isEnabled },
        PendingKey("telemetry.M3") { !$0.telemetry.m3.isEmpty },
    ]
}
