// SPDX-License-Identifier: Apache-2.0

import APIProtos
import Datastore
import EntryIndex
import Groundwork
import Logging
import RPC
import SPIFFE
import SwiftProtobuf

/// What one stream has sent, and how it says what comes next. One task uses it.
struct PushSession {
    let service: EntryPushService
    let follower: AgentFollower
    let responses: ResponseWriter<PushResponse>
    let mask: EntryMask
    let call: Call
    /// Versions of the bundles the agent has, by trust domain; 0 for one that it would get if there were one.
    private var bundles: [TrustDomain: UInt64] = [:]
    /// Versions the agent said at the start that it holds.
    private var held: [TrustDomain: UInt64] = [:]

    /// How long one response may wait for the caller to take it.
    private static let patience: Duration = .seconds(60)
    /// How long a look at the datastore may take before an agent is sent what is known without it.
    private static let catchUpLimit: Duration = .seconds(2)

    init(
        _ service: EntryPushService, _ follower: AgentFollower, _ responses: ResponseWriter<PushResponse>,
        mask: EntryMask, _ call: Call
    ) {
        self.service = service
        self.follower = follower
        self.responses = responses
        self.mask = mask
        self.call = call
    }

    // MARK: What is sent

    /// Says where the agent stands, and sends what it misses.
    mutating func start(_ request: PushRequest) async throws {
        for bundle in request.heldBundles.prefix(EntryPushService.bundleLimit) {
            if let domain = try? TrustDomain(bundle.trustDomain) { held[domain] = bundle.version }
        }
        if request.hasPosition, request.hasHeld, follower.resume(from: StreamPosition(request.position)) {
            let news = follower.news(withDigest: true)
            if case .some(let changed, let removed) = news.entries, news.digest != nil {
                let set = follower.set()
                return try await send(
                    changed, removed: removed, domains: set.federatedDomains, position: news.position,
                    digest: news.digest)
            }
        }
        var (set, position) = follower.everything()
        var digest = set.digest
        if request.hasHeld, SetDigest(request.held) != digest {
            // The agent may come from a server that is ahead of this one: its entries must not go and come again.
            if try await service.index.catchUp(within: Self.catchUpLimit) {
                (set, position) = follower.everything()
                digest = set.digest
            }
        }
        if request.hasHeld, SetDigest(request.held) == digest {
            return try await send([], removed: [], domains: set.federatedDomains, position: position, digest: digest)
        }
        try await send(everything: set, position: position, digest: digest)
    }

    /// Sends everything.
    mutating func restart() async throws {
        let (set, position) = follower.everything()
        try await send(everything: set, position: position, digest: set.digest)
    }

    /// Sends what changed.
    mutating func send(_ news: AgentFollower.News) async throws {
        guard case .some(let changed, let removed) = news.entries else {
            return try await send(
                [], removed: [], domains: [], changedBundles: news.bundles, position: news.position,
                digest: news.digest)
        }
        var domains: Set<String> = []
        for entry in changed { domains.formUnion(entry.federatesWith) }
        try await send(
            changed, removed: removed, domains: domains, changedBundles: news.bundles, position: news.position,
            digest: news.digest)
    }

    private mutating func send(everything set: AuthorizedSet, position: StreamPosition, digest: SetDigest) async throws {
        var pieces = PushPieces(isComplete: true)
        try await add(try await updates(of: set.federatedDomains, changed: []), to: &pieces)
        let step = PushPieces.entryLimit
        for start in stride(from: 0, to: set.count, by: step) {
            try await add(set.entries(start..<min(start + step, set.count)), to: &pieces)
        }
        try await send(pieces.last(position, digest))
    }

    private mutating func send(
        _ changed: [RegistrationEntry], removed: [String], domains: Set<String>, changedBundles: Set<String> = [],
        position: StreamPosition, digest: SetDigest?
    ) async throws {
        var pieces = PushPieces()
        try await add(try await updates(of: domains, changed: changedBundles), to: &pieces)
        for id in removed {
            if let full = pieces.room(for: id.utf8.count + 8) { try await send(full) }
            pieces.add(removed: id)
        }
        try await add(changed, to: &pieces)
        let last = pieces.last(position, digest)
        let isNews =
            digest != nil || !changed.isEmpty || !removed.isEmpty || !last.bundles.isEmpty
            || !last.removedTrustDomains.isEmpty
        if isNews { try await send(last) }
    }

    private func add(_ entries: [RegistrationEntry], to pieces: inout PushPieces) async throws {
        for entry in entries {
            guard let proto = service.mapping.proto(entry, mask: mask) else {
                call.logger.error("Failed to convert entry", metadata: [LogKey.entryID: "\(entry.id)"])
                continue
            }
            if let full = pieces.room(for: entry.wireSize) { try await send(full) }
            pieces.add(proto)
        }
    }

    /// Sends one response; a caller that does not take it for a minute is given up.
    private func send(_ response: PushResponse) async throws {
        let responses = responses
        let time = service.time
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                try await responses.send(response)
                return true
            }
            group.addTask {
                try await time.sleep(for: Self.patience)
                return false
            }
            defer { group.cancelAll() }
            guard try await group.next() == true else {
                throw RPCStatus(.unavailable, "the stream's reader is too slow")
            }
        }
    }

    // MARK: Bundles

    private enum BundleUpdate {
        case changed(Spire_Api_Types_Bundle, version: UInt64, size: Int)
        case removed(String)
    }

    /// Bundles that the agent needs and does not have in their present version.
    ///
    /// - Parameters:
    ///   - domains: Trust domain IDs that entries to be sent federate with.
    ///   - changed: Trust domain IDs whose bundle may have changed.
    private mutating func updates(of domains: Set<String>, changed: Set<String>) async throws -> [BundleUpdate] {
        var wanted: Set<TrustDomain> = []
        if bundles[service.bundles.trustDomain] == nil { wanted.insert(service.bundles.trustDomain) }
        for id in domains {
            if let domain = try? TrustDomain(id), bundles[domain] == nil { wanted.insert(domain) }
        }
        // Interest is noted before the look, so that no change falls between the two.
        if !wanted.isEmpty {
            let known = Set(bundles.keys).union(wanted)
            follower.note(domains: Set(known.map(\.id.description)))
        }
        for id in changed {
            if let domain = try? TrustDomain(id) { wanted.insert(domain) }
        }
        var updates: [BundleUpdate] = []
        for domain in wanted.sorted(by: { $0.name < $1.name }) {
            let reading: BundleCache.Reading
            do {
                reading = try await service.bundles.reading(of: domain)
            } catch {
                throw APIFailure.internal("failed to fetch bundle", error)
            }
            let known = bundles[domain] ?? held[domain] ?? 0
            if let proto = reading.proto {
                if known != reading.version {
                    updates.append(.changed(proto, version: reading.version, size: reading.size))
                }
                bundles[domain] = reading.version
            } else {
                if known != 0 { updates.append(.removed(domain.name)) }
                bundles[domain] = 0
            }
        }
        return updates
    }

    private func add(_ updates: [BundleUpdate], to pieces: inout PushPieces) async throws {
        for update in updates {
            switch update {
            case .changed(let proto, let version, let size):
                if let full = pieces.room(for: size) { try await send(full) }
                pieces.add(
                    .with {
                        $0.bundle = proto
                        $0.version = version
                    })
            case .removed(let name):
                if let full = pieces.room(for: name.utf8.count + 8) { try await send(full) }
                pieces.add(removedDomain: name)
            }
        }
    }
}
