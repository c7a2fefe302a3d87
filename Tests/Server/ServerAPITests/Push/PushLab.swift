// SPDX-License-Identifier: Apache-2.0

import APIProtos
import Datastore
import EntryIndex
import FoundationEssentials
import Groundwork
import Logging
import NIOCore
import RPC
import SPIFFE
import SQLDatastore
import SwiftProtobuf
import Synchronization
import TestKit
import Wire

@testable import ServerAPI

typealias PushRequestProto = Swiftspire_Api_Server_Entry_V1_StreamAuthorizedEntriesRequest
typealias PushResponseProto = Swiftspire_Api_Server_Entry_V1_StreamAuthorizedEntriesResponse

/// The stream service on a real index over a real datastore, with a clock that stands still. Nothing follows the datastore
/// by itself: tests say when the index looks.
struct PushLab: Sendable {
    static let agentID = "spiffe://example.org/spire/agent/join_token/one"
    let fixture: Fixture
    let board: AgentBoard
    let bundles: BundleCache
    let watched: WatchedBundles
    let index: EntryIndex

    /// - Parameter localChanges: What wakes a running index, instead of the datastore.
    init(localChanges: Watch<UInt64>? = nil) async throws {
        let fixture = try await Fixture()
        let board = AgentBoard(time: fixture.time, random: fixture.random)
        let bundles = BundleCache(
            trustDomain: fixture.trustDomain, store: fixture.store, time: fixture.time,
            changed: { board.post(bundle: $0) })
        self.fixture = fixture
        self.board = board
        self.bundles = bundles
        watched = WatchedBundles(fixture.store, cache: bundles)
        index = EntryIndex(
            store: fixture.store, trustDomain: "example.org", board: board, localChanges: localChanges,
            bundlesSeen: { bundles.note($0) }, time: fixture.time, logger: Logger(label: "index") { _ in SwiftLogNoOpLogHandler() })
        _ = try await watched.setBundle(Self.bundle("example.org", 1))
        try await fixture.store.createNode(
            AttestedNode(
                spiffeID: Self.agentID, attestationType: "join_token", serialNumber: "7",
                expiresAt: Int64(fixture.time.now.timeIntervalSince1970) + 3600))
        try await index.load()
    }

    static func bundle(_ domain: String, _ sequence: UInt64) -> TrustBundle {
        var bundle = TrustBundle(trustDomainID: "spiffe://" + domain)
        bundle.sequenceNumber = sequence
        return bundle
    }

    var service: EntryPushService {
        EntryPushService(
            trustDomain: fixture.trustDomain, index: index, bundles: bundles,
            agents: AgentCheck(nodes: fixture.store, time: fixture.time), time: fixture.time)
    }

    /// Waits until a stream has asked to be rung, and for what `isMeant` says of the time until then.
    func alarm(_ isMeant: (Duration) -> Bool = { _ in true }) async {
        while !(board.nextAlarm.map { isMeant($0 - fixture.time.uptime) } ?? false) { await Task.yield() }
        await fixture.time.sleepers()
    }

    /// Creates entries below the agent and lets the index see them.
    @discardableResult
    func create(_ paths: [String], configure: (inout RegistrationEntry) -> Void = { _ in }) async throws -> [String] {
        let entries = paths.map { path in
            RegistrationEntry.made(path) {
                $0.parentID = Self.agentID
                configure(&$0)
            }
        }
        let results = try await fixture.store.createEntries(entries)
        try await index.refresh()
        return try results.map { result in
            switch try result.get() {
            case .created(let entry), .similar(let entry): entry.id
            }
        }
    }

    func update(_ id: String, _ change: (inout RegistrationEntry) -> Void) async throws {
        guard var entry = try await fixture.store.entry(id: id) else { return }
        change(&entry)
        _ = try await fixture.store.updateEntry(entry, fields: .all)
        try await index.refresh()
    }

    func delete(_ id: String) async throws {
        try await fixture.store.deleteEntry(id: id)
        try await index.refresh()
    }

    /// Opens a stream while `body` runs.
    func stream(
        _ request: PushRequestProto = .init(), serial: UInt64 = 7, _ body: (PushReader) async throws -> Void
    ) async throws {
        let reader = PushReader()
        let call = try fixture.call(
            EntryPushMethods.streamAuthorizedEntries.path, as: .agent, id: Self.agentID,
            peer: .mutualTLS(
                leaf: try TestCertificate.leaf(
                    serial: serial, validUntil: fixture.time.now.addingTimeInterval(3600)),
                id: try SPIFFEID(Self.agentID), address: "192.0.2.1:999"))
        let service = service
        try await withThrowingTaskGroup(of: Void.self) { group in
            // As the running index does.
            group.addTask { [board] in try await board.keepTime() }
            group.addTask {
                do {
                    try await service.stream(request, ResponseWriter(raw: reader), call)
                    reader.ended(nil)
                } catch is CancellationError {
                } catch {
                    reader.ended(APIFailure.status(of: error))
                }
            }
            try await body(reader)
            group.cancelAll()
        }
    }
}

/// What an agent sees of its stream. It holds what it was told to hold.
final class PushReader: RawResponseWriter {
    private struct State {
        var messages: [PushResponseProto] = []
        var end: RPCStatus?
        var hasEnded = false
    }

    private let state = Mutex(State())
    private let news = Watch<UInt64>(0)
    private let read = Mutex(0)
    let held = Mutex<[String: Spire_Api_Types_Entry]>([:])

    func write(_ message: ByteBuffer) async throws {
        let decoded = try PushResponseProto(serializedBytes: Array(message.readableBytesView))
        state.withLock { $0.messages.append(decoded) }
        news.update { $0 += 1 }
    }

    func ended(_ status: RPCStatus?) {
        state.withLock { state in
            state.end = status
            state.hasEnded = true
        }
        news.update { $0 += 1 }
    }

    /// The next message, waiting for it; `nil` when the stream has ended.
    func next() async -> PushResponseProto? {
        let place = read.withLock { $0 }
        for await _ in news.changes() {
            let (message, hasEnded) = state.withLock { state in
                (state.messages.count > place ? state.messages[place] : nil, state.hasEnded)
            }
            guard let message else {
                if hasEnded { return nil }
                continue
            }
            read.withLock { $0 += 1 }
            apply(message)
            return message
        }
        return nil
    }

    /// The status the stream ended with, after messages that nobody asked about.
    func end() async -> RPCStatus? {
        while await next() != nil {}
        return state.withLock { $0.end }
    }

    private func apply(_ message: PushResponseProto) {
        held.withLock { held in
            if message.complete, !isContinued.withLock({ $0 }) { held = [:] }
            for id in message.removedEntryIds { held[id] = nil }
            for entry in message.entries { held[entry.id] = entry }
        }
        isContinued.withLock { $0 = message.more }
    }

    private let isContinued = Mutex(false)

    var ids: Set<String> { held.withLock { Set($0.keys) } }

    /// What the agent would say that it holds.
    func digest() -> Swiftspire_Api_Server_Entry_V1_SetDigest {
        var entries: [RegistrationEntry] = []
        for entry in held.withLock({ Array($0.values) }) {
            var model = RegistrationEntry()
            model.id = entry.id
            model.revisionNumber = entry.revisionNumber
            model.createdAt = entry.createdAt
            entries.append(model)
        }
        return AuthorizedSet(entries).digest.proto
    }
}
