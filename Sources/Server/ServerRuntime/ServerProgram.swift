// SPDX-License-Identifier: Apache-2.0

/// `spire-server run` after the configuration has been read.
package enum ServerProgram {
    /// Builds the server and runs it until SIGINT or SIGTERM, then stops gracefully.
    ///
    /// - Throws: why the server could not be built, or which part ended it; it has been logged then.
    package static func run(config: ServerConfig) async throws {}
}
