// SPDX-License-Identifier: Apache-2.0

import Groundwork
import HCL
import Logging
import SPIFFE
import ServiceLifecycle
package import Telemetry
import UnixSignals

/// `spire-server run` after the configuration has been read.
package enum ServerProgram {
    /// Builds the server and runs it until SIGINT or SIGTERM, then stops gracefully.
    ///
    /// - Throws: why the server could not be built, or which part ended it; it has been logged then.
    package static func run(config: ServerConfig) async throws {
        try await run(config: config, log: LogSystem(config.log))
    }

    /// The same with a log opened elsewhere.
    package static func run(config: ServerConfig, log: LogSystem) async throws {
        let logger = log.logger
        do {
            Allocator.limitPools()
            Bootstrap.prepareProcess(logger)
            for notice in config.notices { notice.log(to: logger) }
            logger.info(
                "Configured",
                metadata: [
                    "admin_ids": "[\(config.adminIDs.map(\.description).joined(separator: " "))]",
                    LogKey.dataDir: "\(config.dataDir)", "launch_log_level": "\(log.settings.level.name)",
                    LogKey.version: "\(Version.text)",
                ])
            let parts = try await Composition.build(
                config, plugins: config.resolvedPlugins(), log: log, time: SystemTime(), random: SystemRandom())
            do {
                let server = Server(
                    parts, also: [LogReopener(log: log, auditLog: parts.auditLog), StartUpMemory(time: SystemTime())])
                try await server.group(signals: [.sigint, .sigterm]).run()
            } catch {
                await parts.close()
                throw error
            }
            await parts.close()
        } catch {
            logger.error("Fatal run error", metadata: [LogKey.error: "\(error)"])
            logger.error("Server crashed")
            throw error
        }
        logger.info("Server stopped gracefully")
    }
}

/// Once everything has started, gives back the memory that only starting needed.
struct StartUpMemory: Service {
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

/// Opens the log file anew on SIGUSR2, as an operator asks for after moving it away.
struct LogReopener: Service {
    let log: LogSystem
    let auditLog: AuditLog?

    func run() async throws {
        let signals = await UnixSignalsSequence(trapping: .sigusr2)
        await cancelWhenGracefulShutdown {
            for await _ in signals {
                do {
                    try log.reopen()
                    try auditLog?.reopen()
                } catch {
                    log.logger.error("Failed to rotate log", metadata: [LogKey.error: "\(error)"])
                }
            }
        }
    }
}
