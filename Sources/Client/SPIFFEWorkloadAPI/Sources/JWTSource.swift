// SPDX-License-Identifier: Apache-2.0

public import SPIFFE

/// JWT-SVIDs on request, and the JWT bundles to verify those of others with, always current.
///
/// Somebody has to run it for the bundles: see ``run()`` and ``withJWTSource(client:_:)``. Tokens are fetched with each
/// request; the agent keeps and renews them.
public final class JWTSource: JWTSVIDSource, JWTBundleSource, Sendable {
    private let streams: any WorkloadAPIStreams
    private let supervisor: Supervisor
    private let bundles = LatestValue<BundleSet>()

    public convenience init(client: WorkloadAPIClient) {
        self.init(streams: client, timing: client.timing)
    }

    init(streams: any WorkloadAPIStreams, timing: SourceTiming) {
        self.streams = streams
        supervisor = Supervisor(timing: timing)
    }

    /// Keeps the bundles up to date until the task is cancelled. Reconnects as ``X509Source`` does.
    /// - Throws: `WorkloadAPIFailure` with `invalidArgument`, which no repetition changes, or `CancellationError`.
    public func run() async throws {
        do {
            try await supervisor.run(streams.followJWTBundles, update: bundles.set, ended: bundles.note)
        } catch {
            bundles.end(error is CancellationError ? SPIFFEError(.closed, "JWT source is closed") : error)
            throw error
        }
    }

    /// Ends reads, updates and waits with `closed`. Cancel the task of ``run()`` as well.
    public func close() { bundles.end(SPIFFEError(.closed, "JWT source is closed")) }

    /// Waits for the first bundles.
    /// - Throws: `closed`, what made ``run()`` give up, or `CancellationError`.
    public func ready() async throws { try await bundles.first() }

    /// Fetches a token.
    /// - Throws: `WorkloadAPIFailure`; `SPIFFEError` when the answer is malformed.
    public func jwtSVID(audience: [String], subject: SPIFFEID? = nil) async throws -> JWTSVID {
        guard let svid = try await streams.fetchJWTSVIDs(audience: audience, subject: subject).first else {
            throw SPIFFEError(.workloadAPI, "there were no SVIDs in the response")
        }
        return svid
    }

    /// - Throws: `bundle_not_found`; `closed`; `workload_api` before the first update.
    public func jwtBundle(for trustDomain: TrustDomain) throws -> JWTBundle {
        try bundles.current().jwtBundle(for: trustDomain)
    }

    /// Every update of the bundles from now on, the current ones first.
    public func updated() -> SourceUpdates<BundleSet> { SourceUpdates(latest: bundles) }
}

/// Runs a ``JWTSource`` for as long as `body` does. `body` begins once there are bundles.
/// - Throws: what `body` throws, or what keeps the source from working.
public func withJWTSource<Result>(
    client: WorkloadAPIClient, _ body: (JWTSource) async throws -> Result
) async throws -> Result {
    let source = JWTSource(client: client)
    return try await withSource(source.run, ready: source.ready, close: source.close) { try await body(source) }
}

/// What the three scoped functions share.
func withSource<Result>(
    _ run: @escaping @Sendable () async throws -> Void, ready: () async throws -> Void, close: () -> Void,
    _ body: () async throws -> Result
) async throws -> Result {
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await run() }
        defer {
            group.cancelAll()
            close()
        }
        try await ready()
        return try await body()
    }
}
