// SPDX-License-Identifier: Apache-2.0

/// The flags of `run` and `validate`. `nil`, and the zero value of a type, leave the file's value in force.
package struct AgentFlags: Sendable, Hashable {
    /// `-config`
    package var config: String?
    /// `-expandEnv`
    package var expandEnv: Bool?
    /// `-dataDir`
    package var dataDir: String?
    /// `-joinToken`
    package var joinToken: String?
    /// `-joinTokenFile`
    package var joinTokenFile: String?
    /// `-logFile`
    package var logFile: String?
    /// `-logFormat`
    package var logFormat: String?
    /// `-logLevel`
    package var logLevel: String?
    /// `-logSourceLocation`
    package var logSourceLocation: Bool?
    /// `-serverAddress`
    package var serverAddress: String?
    /// `-serverPort`
    package var serverPort: Int?
    /// `-socketPath`
    package var socketPath: String?
    /// `-trustDomain`
    package var trustDomain: String?
    /// `-disableWorkloadAPI`
    package var disableWorkloadAPI: Bool?
    /// `-disableSDSAPI`
    package var disableSDSAPI: Bool?
    /// `-trustBundle`
    package var trustBundle: String?
    /// `-trustBundleUrl`
    package var trustBundleURL: String?
    /// `-trustBundleFormat`
    package var trustBundleFormat: String?
    /// `-allowUnauthenticatedVerifiers`
    package var allowUnauthenticatedVerifiers: Bool?
    /// `-insecureBootstrap`
    package var insecureBootstrap: Bool?
    /// `-rebootstrapMode`
    package var rebootstrapMode: String?
    /// `-rebootstrapDelay`
    package var rebootstrapDelay: String?

    package init() {}
}
