// SPDX-License-Identifier: Apache-2.0

package import NIOCore

/// What a handler knows about the call it serves.
package struct RPCContext: Sendable {
    package let method: MethodPath
    package let metadata: Metadata
    /// The `:authority` the caller addressed; empty when it sent none.
    package let authority: String
    /// When the caller stops waiting; `nil` for never.
    package let deadline: NIODeadline?
    /// Who is on the other end, as the listener found it on accept (`Wire` puts a `PeerIdentity` here).
    package let peer: any Sendable
    /// What an interceptor found out about the caller (`ServerAPI` puts its authorized caller here).
    package var caller: (any Sendable)?
    /// What the handler is to run inside of, if an interceptor set it. Handlers that never wait are not affected.
    package var scope: (any CallScope)?

    package init(
        method: MethodPath, metadata: Metadata = Metadata(), authority: String = "", deadline: NIODeadline? = nil,
        peer: any Sendable, caller: (any Sendable)? = nil
    ) {
        self.method = method
        self.metadata = metadata
        self.authority = authority
        self.deadline = deadline
        self.peer = peer
        self.caller = caller
    }
}

/// Runs a handler inside something of its own, such as task-local values.
package protocol CallScope: Sendable {
    func run(_ body: @Sendable () async throws -> Void) async throws
}

/// Stands before every call of a server: may refuse it, may add what it learned, and hears how it ended.
package protocol ServerInterceptor: Sendable {
    /// Returns the context the handler is to see.
    /// - Throws: `RPCStatus` to refuse the call.
    func admit(_ context: RPCContext) async throws -> RPCContext
    /// The same without waiting, on the connection's event loop; `nil` when `admit` must be asked instead.
    func admitNow(_ context: RPCContext) throws -> RPCContext?
    /// Called once a call admitted or refused by this interceptor has ended; `status` is `nil` for OK.
    func finished(_ context: RPCContext, status: RPCStatus?, elapsed: Duration)
}

extension ServerInterceptor {
    package func admitNow(_ context: RPCContext) throws -> RPCContext? { nil }
    package func finished(_ context: RPCContext, status: RPCStatus?, elapsed: Duration) {}
}
