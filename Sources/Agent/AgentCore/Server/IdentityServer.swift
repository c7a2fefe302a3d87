// SPDX-License-Identifier: Apache-2.0

import Groundwork
package import RPC
package import SPIFFE

/// What the agent asks of a server, in its own words. `ServerClient` is the real one.
///
/// Failures are `RPCStatus`, or `SpireError` when the connection was refused from this side.
package protocol IdentityServer: Sendable {
    /// Runs one entry synchronisation; `compare` names the revisions the agent does not hold.
    func synchronizeEntries(
        timeout: Duration, compare: @Sendable ([EntrySync.Revision]) -> [String]
    ) async throws -> EntrySync.Outcome
    /// Follows changes as the server tells them, until the stream ends: `body` is called with each message, and whether the
    /// change goes on in the next one.
    ///
    /// - Parameter leaving: Called when the server asks this agent to go elsewhere. The stream goes on for some seconds.
    func followEntries(
        _ start: EntryPush.Start, leaving: @escaping @Sendable () -> Void,
        _ body: (EntryPush.Change, _ more: Bool) async throws -> Void
    ) async throws
    /// The bundle of the agent's own trust domain.
    func bundle(timeout: Duration) async throws -> TrustBundle
    /// - Returns: `nil` when the server has none.
    func federatedBundle(_ trustDomain: TrustDomain, timeout: Duration) async throws -> TrustBundle?
    /// - Returns: as many results as requests, in their order.
    func signX509(_ requests: [X509Request], timeout: Duration) async throws -> [Result<[[UInt8]], RPCStatus>]
    func signJWT(entryID: String, audience: [String], timeout: Duration) async throws -> WorkloadJWT
    /// - Returns: DER certificates, leaf first.
    func renewAgent(csr: [UInt8], timeout: Duration) async throws -> [[UInt8]]
    func postStatus(version: String, timeout: Duration) async throws
    /// Makes the connection that the next call goes over, if there is none.
    func connect(timeout: Duration) async throws
    /// Leaves the connection to the calls that are open on it: the next call shows the current identity.
    func reconnect() async
}

/// One certificate asked for.
package struct X509Request: Sendable {
    package let entryID: String
    /// DER PKCS #10.
    package let csr: [UInt8]
    package init(entryID: String, csr: [UInt8]) {
        self.entryID = entryID
        self.csr = csr
    }
}
