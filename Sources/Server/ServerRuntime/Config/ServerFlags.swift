// SPDX-License-Identifier: Apache-2.0

/// The flags of `run` and `validate`. `nil`, and the zero value of a type, leave the file's value in force.
package struct ServerFlags: Sendable, Hashable {
    /// `-config`
    package var config: String?
    /// `-expandEnv`
    package var expandEnv: Bool?
    /// `-bindAddress`
    package var bindAddress: String?
    /// `-serverPort`
    package var serverPort: Int?
    /// `-dataDir`
    package var dataDir: String?
    /// `-logFile`
    package var logFile: String?
    /// `-logFormat`
    package var logFormat: String?
    /// `-logLevel`
    package var logLevel: String?
    /// `-logSourceLocation`
    package var logSourceLocation: Bool?
    /// `-trustDomain`
    package var trustDomain: String?
    /// `-socketPath`
    package var socketPath: String?

    package init() {}
}
