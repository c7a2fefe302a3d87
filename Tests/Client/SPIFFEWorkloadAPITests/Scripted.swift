// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import SPIFFE
import Synchronization

@testable import SPIFFEWorkloadAPI

/// A Workload API that does what a test tells it, stream by stream.
final class ScriptedStreams: WorkloadAPIStreams {
    /// What happens on a stream, in order. A stream without an end stays open.
    enum Step: Sendable {
        case x509(X509Context)
        case bundles(BundleSet)
        case fails(any Error)
        case ends
    }

    private let x509 = Script()
    private let x509Bundles = Script()
    private let jwtBundles = Script()
    let tokens = Mutex<[JWTSVID]>([])

    func x509Stream(_ steps: Step...) { x509.add(steps) }
    func x509BundleStream(_ steps: Step...) { x509Bundles.add(steps) }
    func jwtBundleStream(_ steps: Step...) { jwtBundles.add(steps) }

    func followX509Contexts(_ body: (X509Context) async throws -> Void) async throws {
        try await x509.play { if case .x509(let context) = $0 { try await body(context) } }
    }

    func followX509Bundles(_ body: (BundleSet) async throws -> Void) async throws {
        try await x509Bundles.play { if case .bundles(let bundles) = $0 { try await body(bundles) } }
    }

    func followJWTBundles(_ body: (BundleSet) async throws -> Void) async throws {
        try await jwtBundles.play { if case .bundles(let bundles) = $0 { try await body(bundles) } }
    }

    func fetchJWTSVIDs(audience: [String], subject: SPIFFEID?) async throws -> [JWTSVID] {
        tokens.withLock { $0 }.filter { subject == nil || $0.id == subject }
    }

    private final class Script: Sendable {
        private let streams: AsyncStream<[Step]>
        private let continuation: AsyncStream<[Step]>.Continuation

        init() { (streams, continuation) = AsyncStream.makeStream() }

        func add(_ steps: [Step]) { continuation.yield(steps) }

        func play(_ body: (Step) async throws -> Void) async throws {
            var iterator = streams.makeAsyncIterator()
            guard let steps = await iterator.next() else { throw CancellationError() }
            for step in steps {
                switch step {
                case .fails(let error): throw error
                case .ends: return
                default: try await body(step)
                }
            }
            // Open until cancelled.
            let (silence, keep) = AsyncStream<Void>.makeStream()
            for await _ in silence {}
            keep.finish()
            throw CancellationError()
        }
    }
}

/// Time that passes only by waiting: a wait is over at once and remembered.
final class VirtualTime: Sendable {
    private let elapsed = Mutex(Duration.zero)
    let waits: AsyncStream<Duration>
    private let continuation: AsyncStream<Duration>.Continuation

    init() { (waits, continuation) = AsyncStream.makeStream() }

    var timing: SourceTiming {
        SourceTiming(
            now: { Date() },
            uptime: { self.elapsed.withLock { $0 } },
            sleep: { wait in
                try Task.checkCancellation()
                self.elapsed.withLock { $0 += wait }
                self.continuation.yield(wait)
            },
            chance: { 0 })
    }

    /// The next waits of the code under test.
    func next(_ count: Int) async -> [Duration] {
        var found: [Duration] = []
        var iterator = waits.makeAsyncIterator()
        while found.count < count, let wait = await iterator.next() { found.append(wait) }
        return found
    }
}
