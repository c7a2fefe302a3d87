// SPDX-License-Identifier: Apache-2.0

import APIProtos
import CLISupport
import RPC

struct HealthCheckCommand: Command {
    static let name = "healthcheck"
    static let usageName = "health"
    static let synopsis = "Determines agent health status"
    static let helpEnding = ""
    private let connection: WorkloadConnectionFlags
    private let verbose: Flag<Bool>

    init(_ flags: FlagSet) {
        connection = WorkloadConnectionFlags(flags)
        _ = flags.bool("shallow", "Perform a less stringent health check")
        verbose = flags.bool("verbose", "Print verbose information")
    }

    func run(_ console: Console) async throws {
        if verbose.value { console.out("Checking agent health...\n") }
        let response: Grpc_Health_V1_HealthCheckResponse
        do {
            response = try await connection.withAgent(console) {
                try await $0.unary(HealthMethods.check, Grpc_Health_V1_HealthCheckRequest())
            }
        } catch let failure as CommandFailure {
            throw failure
        } catch {
            if verbose.value { console.err("Failed to check health: \(error.harmless)\n") }
            throw CommandFailure("Agent is unhealthy: unable to determine health")
        }
        guard response.status == .serving else {
            let name = response.status == .notServing ? "NOT_SERVING" : "UNKNOWN"
            throw CommandFailure("Agent is unhealthy: agent returned status \"\(name)\"")
        }
        console.out("Agent is healthy.\n")
    }
}
