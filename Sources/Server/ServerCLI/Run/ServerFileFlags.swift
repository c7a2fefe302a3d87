// SPDX-License-Identifier: Apache-2.0

import CLISupport
import FoundationEssentials
import HCL
import ServerRuntime

/// The flags `run` and `validate` share.
struct ServerFileFlags {
    private let config: Flag<String>
    private let expandEnv: Flag<Bool>
    private let bindAddress: Flag<String>
    private let serverPort: Flag<Int>
    private let dataDir: Flag<String>
    private let logFile: Flag<String>
    private let logFormat: Flag<String>
    private let logLevel: Flag<String>
    private let logSourceLocation: Flag<Bool>
    private let trustDomain: Flag<String>
    private let socketPath: Flag<String>

    init(_ flags: FlagSet) {
        config = flags.string("config", "conf/server/server.conf", "Path to a SPIRE config file")
        expandEnv = flags.bool("expandEnv", "Expand environment variables in SPIRE config file")
        bindAddress = flags.string("bindAddress", "", "IP address or DNS name of the SPIRE server")
        serverPort = flags.int("serverPort", "Port number of the SPIRE server")
        dataDir = flags.string("dataDir", "", "Directory to store runtime data to")
        logFile = flags.string("logFile", "", "File to write logs to")
        logFormat = flags.string("logFormat", "", "'text' or 'json'")
        logLevel = flags.string("logLevel", "", "'debug', 'info', 'warn', or 'error'")
        logSourceLocation = flags.bool("logSourceLocation", "Include source file, line number and function name in log lines")
        trustDomain = flags.string("trustDomain", "", "The trust domain that this server belongs to")
        socketPath = flags.string("socketPath", "", "Path to bind the SPIRE Server API socket to")
    }

    /// Reads the file the flags name and puts the flags over it.
    func load(_ console: Console) throws(ConfigError) -> ServerConfig {
        var flags = ServerFlags()
        flags.config = config.isSet ? config.value : nil
        flags.expandEnv = expandEnv.value
        flags.bindAddress = bindAddress.value
        flags.serverPort = serverPort.value
        flags.dataDir = dataDir.value
        flags.logFile = logFile.value
        flags.logFormat = logFormat.value
        flags.logLevel = logLevel.value
        flags.logSourceLocation = logSourceLocation.value
        flags.trustDomain = trustDomain.value
        flags.socketPath = socketPath.value
        return try ServerConfig.load(
            flags, environment: console.environment,
            workingDirectory: FileManager.default.currentDirectoryPath)
    }
}
