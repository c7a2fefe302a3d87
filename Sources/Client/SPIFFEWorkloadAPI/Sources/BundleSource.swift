// SPDX-License-Identifier: Apache-2.0

public import SPIFFE

/// The X.509 and JWT bundles of this process's and of federated trust domains, always current: for programs that only
/// verify others.
///
/// Somebody has to run it: see ``run()`` and ``withBundleSource(client:_:)``.
public final class BundleSource: X509BundleSource, JWTBundleSource, Sendable {
    private let streams: any WorkloadAPIStreams
    private let supervisor: Supervisor
    private let x509 = LatestValue<BundleSet>()
    private let jwt = LatestValue<BundleSet>()

    public convenience init(client: WorkloadAPIClient) {
        self.init(streams: client, timing: client.timing)
    }

    init(streams: any WorkloadAPIStreams, timing: SourceTiming) {
        self.streams = streams
        supervisor = Supervisor(timing: timing)
    }

    /// Stays up to date until the task is cancelled. Reconnects as ``X509Source`` does.
    /// - Throws: `WorkloadAPIFailure` with `invalidArgument`, which no repetition changes, or `CancellationError`.
    public func run() async throws {
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    try await self.supervisor.run(
                        self.streams.followX509Bundles, update: self.x509.set, ended: self.x509.note)
                }
                group.addTask {
                    try await self.supervisor.run(
                        self.streams.followJWTBundles, update: self.jwt.set, ended: self.jwt.note)
                }
                try await group.waitForAll()
            }
        } catch {
            end(error is CancellationError ? SPIFFEError(.closed, "bundle source is closed") : error)
            throw error
        }
    }

    /// Ends reads, updates and waits with `closed`. Cancel the task of ``run()`` as well.
    public func close() { end(SPIFFEError(.closed, "bundle source is closed")) }

    private func end(_ error: any Error) {
        x509.end(error)
        jwt.end(error)
    }

    /// Waits for the first bundles of both kinds.
    /// - Throws: `closed`, what made ``run()`` give up, or `CancellationError`.
    public func ready() async throws {
        try await x509.first()
        try await jwt.first()
    }

    /// - Throws: `bundle_not_found`; `closed`; `workload_api` before the first update.
    public func x509Bundle(for trustDomain: TrustDomain) throws -> X509Bundle {
        try x509.current().x509Bundle(for: trustDomain)
    }

    /// - Throws: `bundle_not_found`; `closed`; `workload_api` before the first update.
    public func jwtBundle(for trustDomain: TrustDomain) throws -> JWTBundle {
        try jwt.current().jwtBundle(for: trustDomain)
    }

    /// Every update of the X.509 bundles from now on, the current ones first.
    public func x509Updated() -> SourceUpdates<BundleSet> { SourceUpdates(latest: x509) }

    /// Every update of the JWT bundles from now on, the current ones first.
    public func jwtUpdated() -> SourceUpdates<BundleSet> { SourceUpdates(latest: jwt) }
}

/// Runs a ``BundleSource`` for as long as `body` does. `body` begins once there are bundles of both kinds.
/// - Throws: what `body` throws, or what keeps the source from working.
public func withBundleSource<Result>(
    client: WorkloadAPIClient, _ body: (BundleSource) async throws -> Result
) async throws -> Result {
    let source = BundleSource(client: client)
    return try await withSource(source.run, ready: source.ready, close: source.close) { try await body(source) }
}
