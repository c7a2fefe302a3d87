// SPDX-License-Identifier: Apache-2.0

import APIProtos
import CLISupport
import RPC

struct HealthCheckCommand: Command {
    static let name = "healthcheck"
    static let synopsis = "Determines server health status"
    private let connection: ServerConnectionFlags
    private let verbose: Flag<Bool>

    init(_ flags: FlagSet) {
        connection = ServerConnectionFlags(flags)
        _ = flags.bool("shallow", "Perform a less stringent health check")
        verbose = flags.bool("verbose", "Print verbose information")
    }

    func run(_ console: Console) async throws {
        if verbose.value { console.out("Checking server health...\n") }
        let response: Grpc_Health_V1_HealthCheckResponse
        do {
            response = try await connection.withServer(console) {
                try await $0.unary(HealthMethods.check, Grpc_Health_V1_HealthCheckRequest())
            }
        } catch let failure as CommandFailure {
            throw failure
        } catch {
            if verbose.value { console.err("Failed to check health: \(error.harmless)\n") }
            throw CommandFailure("server is unhealthy: unable to determine health")
        }
        guard response.status == .serving else {
            let name = response.status == .notServing ? "NOT_SERVING" : "UNKNOWN"
            throw CommandFailure("server is unhealthy: server returned status \"\(name)\"")
        }
        console.out("Server is healthy.\n")
    }
}
