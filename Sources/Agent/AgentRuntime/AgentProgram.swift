// SPDX-License-Identifier: Apache-2.0

import AgentCore
import Groundwork
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import Telemetry
import UnixSignals

/// `spire-agent run` after the configuration has been read.
package enum AgentProgram {
    /// More event loops than this help no agent, and each costs memory.
    private static let maximumLoops = 4

    /// Builds the agent and runs it until SIGINT or SIGTERM, then stops gracefully.
    ///
    /// - Throws: why the agent could not be built, or what ended it; it has been logged then.
    package static func run(config: AgentConfig) async throws {
        let logs = try LogSystem(config.log)
        let logger = logs.logger
        do {
            for notice in config.notices { notice.log(to: logger) }
            if !(config.workloadAPIIsDisabled && config.sdsAPIIsDisabled),
                let slash = config.socketPath.lastIndex(of: "/")
            {
                // Before the umask is tightened: every workload must reach the socket.
                try ProcessSurroundings.makeDirectory(String(config.socketPath[..<slash]))
            }
            ProcessSurroundings.tightenUmask(logger)
            ProcessSurroundings.raiseFileLimit()
            ProcessSurroundings.ignoreReconfigureSignal()
            logger.info("Starting agent", metadata: [LogKey.dataDir: "\(config.dataDir)", LogKey.version: "\(Version.text)"])
            try ProcessSurroundings.makeDirectory(config.dataDir)
            let group = MultiThreadedEventLoopGroup(numberOfThreads: min(System.coreCount, maximumLoops))
            do {
                try await serve(config, logs, group)
            } catch {
                try? await group.shutdownGracefully()
                throw error
            }
            try? await group.shutdownGracefully()
            logger.info("Catalog closed", metadata: [LogKey.subsystem: "catalog"])
            logger.info("Agent stopped gracefully")
        } catch {
            logger.error("Agent crashed", metadata: [LogKey.error: "\(error)"])
            throw error
        }
    }

    private static func serve(_ config: AgentConfig, _ logs: LogSystem, _ group: any EventLoopGroup) async throws {
        let observation = AgentObservation(config, logs: logs, clocks: .system)
        let parts = try await Composition.build(
            config, logger: logs.logger, clocks: .system, group: group, instruments: observation.instruments,
            liveness: observation.liveness)
        let observers = try observation.services(on: group)
        // The group's own chatter is of no use to operators of an agent.
        var quiet = logs.logger
        quiet.logLevel = .critical
        let services = ServiceGroup(
            configuration: .init(
                services: observers.map { .init(service: Named(part: $0)) } + [
                    .init(
                        service: Named(part: Agent(parts: parts)), successTerminationBehavior: .gracefullyShutdownGroup,
                        failureTerminationBehavior: .cancelGroup),
                    .init(service: Named(part: LogReopener(logs: logs))),
                    .init(service: Named(part: StartUpMemory(time: SystemTime()))),
                ],
                gracefulShutdownSignals: [.sigterm, .sigint], logger: quiet))
        try await services.run()
    }
}

/// Once everything has started, gives back the memory that only starting needed.
private struct StartUpMemory: Service {
    let time: any TimeSource

    func run() async throws {
        await cancelWhenGracefulShutdown {
            do {
                try await time.sleep(for: .seconds(5))
                ProcessMemory.releaseStartUp()
                while true { try await time.sleep(for: .seconds(86_400)) }
            } catch {}
        }
    }
}

/// Opens the log file anew on SIGUSR2, after an operator has moved it away.
private struct LogReopener: Service {
    let logs: LogSystem

    func run() async throws {
        let signals = await UnixSignalsSequence(trapping: .sigusr2)
        for await _ in signals.cancelOnGracefulShutdown() {
            do {
                try logs.reopen()
            } catch {
                logs.logger.error("Failed to reopen log file", metadata: [LogKey.error: "\(error)"])
            }
        }
    }
}
