// SPDX-License-Identifier: Apache-2.0

public import SPIFFE

/// The X.509 identity of this process and the bundles to verify others with, always current.
///
/// Somebody has to run it: put ``run()`` into a task group or a service group, or use ``withX509Source(client:pick:_:)``.
/// Reading answers from memory at once and is safe from any thread, event loops included.
public final class X509Source: X509SVIDSource, X509BundleSource, Sendable {
    private let streams: any WorkloadAPIStreams
    private let supervisor: Supervisor
    private let pick: @Sendable ([X509SVID]) -> X509SVID?
    private let contexts = LatestValue<X509Context>()
    /// Outlive the identities: who may no longer present one can still verify others.
    private let bundles = LatestValue<BundleSet>()

    /// - Parameter pick: Chooses among the identities of this process when there are several; `nil` for none of them. It
    ///   must answer at once. The default takes the first, which the standard names the default identity.
    public convenience init(
        client: WorkloadAPIClient, pick: @escaping @Sendable ([X509SVID]) -> X509SVID? = { $0.first }
    ) {
        self.init(streams: client, timing: client.timing, pick: pick)
    }

    init(
        streams: any WorkloadAPIStreams, timing: SourceTiming,
        pick: @escaping @Sendable ([X509SVID]) -> X509SVID? = { $0.first }
    ) {
        self.streams = streams
        self.pick = pick
        supervisor = Supervisor(timing: timing)
    }

    /// Stays up to date until the task is cancelled.
    ///
    /// Reconnects after failures, waiting 1 to 30 seconds; a refusal for want of an identity is asked again too, and
    /// withdraws the identities. After it ended for good, reads throw.
    /// - Throws: `WorkloadAPIFailure` with `invalidArgument`, which no repetition changes, or `CancellationError`.
    public func run() async throws {
        do {
            try await supervisor.run(streams.followX509Contexts) { [bundles, contexts] context in
                bundles.set(context.bundles)
                contexts.set(context)
            } ended: { [bundles, contexts] failure in
                if let failure = failure as? WorkloadAPIFailure, failure.reason == .permissionDenied {
                    contexts.withdraw(failure)
                } else {
                    contexts.note(failure)
                }
                bundles.note(failure)
            }
        } catch {
            end(error is CancellationError ? SPIFFEError(.closed, "X.509 source is closed") : error)
            throw error
        }
    }

    /// Ends reads, updates and waits with `closed`. Cancel the task of ``run()`` as well.
    public func close() { end(SPIFFEError(.closed, "X.509 source is closed")) }

    private func end(_ error: any Error) {
        contexts.end(error)
        bundles.end(error)
    }

    /// Waits for the first identity.
    /// - Throws: `closed`, what made ``run()`` give up, or `CancellationError`.
    public func ready() async throws { try await contexts.first() }

    /// The current X.509-SVID.
    /// - Throws: `closed`; `workload_api` before the first update; the refusal when there is no identity any more.
    public func x509SVID() throws -> X509SVID {
        guard let svid = pick(try contexts.current().svids) else {
            throw SPIFFEError(.workloadAPI, "none of the X.509-SVIDs was picked")
        }
        return svid
    }

    /// The current bundle of a trust domain.
    /// - Throws: `bundle_not_found`; `closed`; `workload_api` before the first update.
    public func x509Bundle(for trustDomain: TrustDomain) throws -> X509Bundle {
        try bundles.current().x509Bundle(for: trustDomain)
    }

    /// All identities and bundles.
    /// - Throws: as ``x509SVID()``.
    public func x509Context() throws -> X509Context { try contexts.current() }

    /// Every update from now on, the current one first.
    public func updated() -> SourceUpdates<X509Context> { SourceUpdates(latest: contexts) }
}

/// Runs an ``X509Source`` for as long as `body` does. `body` begins once there is an identity.
/// - Parameter client: Closed by its owner, not here.
/// - Throws: what `body` throws, or what keeps the source from working.
public func withX509Source<Result>(
    client: WorkloadAPIClient, pick: @escaping @Sendable ([X509SVID]) -> X509SVID? = { $0.first },
    _ body: (X509Source) async throws -> Result
) async throws -> Result {
    let source = X509Source(client: client, pick: pick)
    return try await withSource(source.run, ready: source.ready, close: source.close) { try await body(source) }
}
