// SPDX-License-Identifier: Apache-2.0

import Groundwork
import Logging
import SPIFFE
import ServiceLifecycle
import Telemetry
import UnixSignals

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// `spire-server dev`: a server and an agent for trying things out on one machine, never for production.
///
/// The server runs in this process, the agent is a child. Everything is in one temporary folder, which goes at the end.
package enum DevMode {
    /// Runs the command until SIGINT or SIGTERM, or until the first identity with `-once`.
    ///
    /// - Parameter arguments: What followed `dev` on the command line.
    /// - Returns: the program's exit code.
    package static func run(arguments: [String]) async -> Int32 {
        let options: DevOptions
        do {
            options = try DevOptions(arguments)
        } catch {
            complain("\(error)\n\(DevOptions.usage)")
            return 1
        }
        if options.help {
            complain(DevOptions.usage)
            return 0
        }
        do {
            try await run(options)
            return 0
        } catch {
            complain("Error: \(error)")
            return 1
        }
    }

    static func run(_ options: DevOptions) async throws {
        let trustDomain = try TrustDomain(options.trustDomain)
        let agentPath = try agentProgram(options.agentPath)
        let folder = try TemporaryFolder(prefix: "spire-dev", parent: parent)
        defer { folder.delete() }
        let time = SystemTime()
        let (config, plugins) = serverConfig(folder, trustDomain)
        let parts = try await Composition.build(
            config, plugins: plugins, log: LogSystem(config.log), time: time, random: SystemRandom())
        let server = Server(parts).group(signals: [.sigint, .sigterm])
        let session = DevSession(
            folder: folder, trustDomain: trustDomain, agentPath: agentPath, once: options.once,
            listening: parts.endpoints.listening, time: time)

        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await server.run() }
            tasks.addTask {
                do {
                    try await session.run()
                } catch {
                    // The server went first, by a signal: being interrupted is no failure.
                    if Task.isCancelled { return }
                    await server.triggerGracefulShutdown()
                    throw error
                }
                await server.triggerGracefulShutdown()
            }
            // Either the session is over and has told the server, or the server has ended by a signal.
            try await tasks.next()
            tasks.cancelAll()
            try await tasks.waitForAll()
        }
        await parts.close()
    }

    /// The folder temporary things go to. Long ones are passed over: the path of a Unix socket is short.
    private static var parent: String {
        guard let text = unsafe getenv("TMPDIR") else { return "/tmp" }
        var path = unsafe String(cString: text)
        while path.utf8.count > 1, path.hasSuffix("/") { path.removeLast() }
        return path.isEmpty || path.utf8.count > 60 ? "/tmp" : path
    }

    private static func agentProgram(_ given: String?) throws -> String {
        let path = given ?? executableFolder() + "/spire-agent"
        guard unsafe access(path, X_OK) == 0 else {
            throw SpireError(.development, "no agent program at \(path); name it with -agentPath")
        }
        return path
    }

    private static func executableFolder() -> String {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = unsafe readlink("/proc/self/exe", &buffer, buffer.count - 1)
        guard count > 0 else { return "." }
        let path = String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
    }

    private static func serverConfig(
        _ folder: TemporaryFolder, _ trustDomain: TrustDomain
    ) -> (ServerConfig, ServerPlugins) {
        var config = ServerConfig(trustDomain: trustDomain, dataDir: folder.path + "/server")
        config.bindAddress = "127.0.0.1"
        config.bindPort = 0
        config.socketPath = folder.path + "/server/api.sock"
        config.log.file = folder.path + "/server.log"
        config.log.level = .debug
        let plugins = ServerPlugins(
            datastore: .init(databaseType: "sqlite3", connectionString: folder.path + "/server/datastore.sqlite3"),
            keyManager: .memory, nodeAttestors: ["join_token"])
        return (config, plugins)
    }

    static func complain(_ text: String) {
        let bytes = Array((text + "\n").utf8)
        _ = unsafe write(2, bytes, bytes.count)
    }
}
