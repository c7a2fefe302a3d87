// SPDX-License-Identifier: Apache-2.0

/// `spire-server dev`: a server and an agent for trying things out on one machine, never for production.
package enum DevMode {
    /// Runs the command until SIGINT, or until the first identity with `-once`.
    ///
    /// - Parameter arguments: What followed `dev` on the command line.
    /// - Returns: the program's exit code.
    package static func run(arguments: [String]) async -> Int32 { 1 }
}
