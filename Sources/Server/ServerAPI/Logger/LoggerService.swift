// SPDX-License-Identifier: Apache-2.0

package import APIProtos
import Groundwork
import Logging
package import RPC
import SwiftProtobuf
package import Telemetry

/// How the process-wide log level is read and changed.
package struct LogLevelControl: Sendable {
    package let launch: LogLevel
    package let current: @Sendable () -> LogLevel
    package let set: @Sendable (LogLevel) -> Void

    package init(
        launch: LogLevel, current: @escaping @Sendable () -> LogLevel, set: @escaping @Sendable (LogLevel) -> Void
    ) {
        self.launch = launch
        self.current = current
        self.set = set
    }
}

/// `spire.api.server.logger.v1.Logger`: reads and changes the process-wide log level.
package struct LoggerService: APIService {
    let level: LogLevelControl

    package init(level: LogLevelControl) { self.level = level }

    package func add(to table: inout ServiceTable) {
        table.serve(LoggerMethods.getLogger, get)
        table.serve(LoggerMethods.setLogLevel, set)
        table.serve(LoggerMethods.resetLogLevel, reset)
    }

    package func get(
        _ request: Spire_Api_Server_Logger_V1_GetLoggerRequest, _ call: Call
    ) async throws -> Spire_Api_Types_Logger {
        call.logger.info("GetLogger Called")
        return answer
    }

    package func set(
        _ request: Spire_Api_Server_Logger_V1_SetLogLevelRequest, _ call: Call
    ) async throws -> Spire_Api_Types_Logger {
        guard request.newLevel != .unspecified else {
            throw APIFailure.invalid("newLevel value cannot be LogLevel_UNSPECIFIED")
        }
        guard let new = Self.levels.first(where: { $0.proto == request.newLevel })?.level else {
            throw APIFailure.invalid("unsupported log level")
        }
        call.audit(["new_log_level": "\(new.name)"])
        call.logger.info("SetLogLevel Called", metadata: ["new_log_level": "\(new.name)"])
        level.set(new)
        return answer
    }

    package func reset(
        _ request: Spire_Api_Server_Logger_V1_ResetLogLevelRequest, _ call: Call
    ) async throws -> Spire_Api_Types_Logger {
        call.logger.info("ResetLogLevel Called", metadata: ["launch_log_level": "\(level.launch.name)"])
        level.set(level.launch)
        return answer
    }

    private var answer: Spire_Api_Types_Logger {
        .with {
            $0.currentLevel = Self.proto(level.current())
            $0.launchLevel = Self.proto(level.launch)
        }
    }

    private static let levels: [(level: LogLevel, proto: Spire_Api_Types_LogLevel)] = [
        (.panic, .panic), (.fatal, .fatal), (.error, .error), (.warning, .warn), (.info, .info), (.debug, .debug),
        (.trace, .trace),
    ]

    private static func proto(_ level: LogLevel) -> Spire_Api_Types_LogLevel {
        levels.first { $0.level == level }?.proto ?? .unspecified
    }
}
