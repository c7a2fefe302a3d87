// SPDX-License-Identifier: Apache-2.0

import Datastore
import Groundwork
import Synchronization
import Telemetry

/// The pool as the datastore's operations see it: each transaction is counted, timed and traced under the name of the
/// operation it belongs to, which the compiler fills in. No operation knows of it.
struct ObservedPool: Sendable {
    /// For those who are not to be counted.
    let bare: any SQLPool
    private let instruments: Instruments
    private let time: any TimeSource
    private let counters = Counters()

    private final class Counters: Sendable {
        let known = Mutex<[String: [CallCounter]]>([:])
    }

    init(_ pool: any SQLPool, instruments: Instruments, time: any TimeSource) {
        bare = pool
        self.instruments = instruments
        self.time = time
        guard instruments.meter.isOn else { return }
        // Made at once, so that what has not happened yet is known too.
        for key in OperationNames.all { _ = instruments.meter.call(["datastore"] + key) }
    }

    var dialect: Dialect { bare.dialect }

    func read<Result: Sendable>(
        _ body: @escaping @Sendable (any SQLConnection) throws -> Result, function: StaticString = #function
    ) async throws -> Result {
        guard instruments.isOn else { return try await bare.read(body) }
        return try await observe(function) { try await bare.read(body) }
    }

    func look<Result: Sendable>(
        _ body: @escaping @Sendable (any SQLConnection) throws -> Result, function: StaticString = #function
    ) async throws -> Result {
        guard instruments.isOn else { return try await bare.look(body) }
        return try await observe(function) { try await bare.look(body) }
    }

    /// Reads nothing that is stored, and so is no operation of its own.
    func mark() async throws -> FeedMark? { try await bare.mark() }

    @discardableResult
    func write<Result: Sendable>(
        _ body: @escaping @Sendable (any SQLConnection, WriteMode) throws -> Result,
        function: StaticString = #function
    ) async throws -> Result {
        guard instruments.isOn else { return try await bare.write(body) }
        return try await observe(function) { try await bare.write(body) }
    }

    func close() async { await bare.close() }

    private func observe<Result: Sendable>(
        _ function: StaticString, _ body: () async throws -> Result
    ) async throws -> Result {
        let name = "\(function)"
        let start = time.uptime
        var span = instruments.tracer.begin(OperationNames.span(name), kind: .client)
        span?.set("db.system.name", .string(dialect.name))
        do {
            let result = try await body()
            span?.end()
            record(name, .ok, time.uptime - start)
            return result
        } catch {
            span?.end(error)
            record(name, WireStatus(of: error), time.uptime - start)
            throw error
        }
    }

    private func record(_ function: String, _ status: WireStatus, _ elapsed: Duration) {
        guard instruments.meter.isOn else { return }
        let own = counters.known.withLock { known in
            if let own = known[function] { return own }
            let own = OperationNames.keys(function).map { instruments.meter.call(["datastore"] + $0) }
            known[function] = own
            return own
        }
        for counter in own { counter.record(status, elapsed) }
    }
}

/// Operations of the datastore under the names the original's metrics have.
enum OperationNames {
    private static let keys: [String: [[String]]] = [
        "entry": [["registration_entry", "fetch"]], "entries": [["registration_entry", "fetch"]],
        "entryRecords": [["registration_entry", "fetch"]], "listEntryRecords": [["registration_entry", "list"]],
        "listEntries": [["registration_entry", "list"]], "foldEntries": [["registration_entry", "list"]],
        "countEntries": [["registration_entry", "count"]],
        "createEntry": [["registration_entry", "create"]], "createEntries": [["registration_entry", "create"]],
        "updateEntry": [["registration_entry", "update"]], "deleteEntry": [["registration_entry", "delete"]],
        "pruneEntries": [["registration_entry", "prune"]],
        "node": [["node", "fetch"]], "nodeSelectors": [["node", "selectors", "fetch"]],
        "listNodes": [["node", "list"]], "countNodes": [["node", "count"]], "createNode": [["node", "create"]],
        "updateNode": [["node", "update"]], "setNodeSelectors": [["node", "selectors", "set"]],
        "deleteNode": [["node", "delete"]], "pruneNodes": [["node", "prune"]],
        "bundle": [["bundle", "fetch"]], "listBundles": [["bundle", "list"]], "countBundles": [["bundle", "count"]],
        "createBundle": [["bundle", "create"]], "updateBundle": [["bundle", "update"]],
        "setBundle": [["bundle", "set"]], "appendBundle": [["bundle", "append"]],
        "deleteBundle": [["bundle", "delete"]], "pruneBundle": [["bundle", "prune"]],
        "taintX509Authority": [["bundle", "x509", "taint"]], "revokeX509Authority": [["bundle", "x509", "revoke"]],
        "taintJWTAuthority": [["bundle", "jwt", "taint"]], "revokeJWTAuthority": [["bundle", "jwt", "revoke"]],
        "createJoinToken": [["join_token", "create"]], "joinToken": [["join_token", "fetch"]],
        // One transaction here, two operations there.
        "takeJoinToken": [["join_token", "fetch"], ["join_token", "delete"]],
        "pruneJoinTokens": [["join_token", "prune"]],
        "setCAJournal": [["ca_journal", "set"]], "caJournal": [["ca_journal", "fetch"]],
        "listCAJournals": [["ca_journal", "list"]], "deleteCAJournal": [["ca_journal", "prune"]],
        "createFederationRelationship": [["federation_relationship", "create"]],
        "federationRelationship": [["federation_relationship", "fetch"]],
        "listFederationRelationships": [["federation_relationship", "list"]],
        "federationRelationships": [["federation_relationship", "list"]],
        "updateFederationRelationship": [["federation_relationship", "update"]],
        "deleteFederationRelationship": [["federation_relationship", "delete"]],
        "entryEvents": [["registration_entry_event", "list"]],
        "latestEntryEventID": [["registration_entry_event", "fetch"]],
        "nodeEvents": [["node_event", "list"]], "latestNodeEventID": [["node_event", "fetch"]],
        "pruneEvents": [["registration_entry_event", "prune"], ["node_event", "prune"]],
    ]

    static var all: [[String]] { keys.values.flatMap { $0 } }

    /// - Parameter function: As the compiler names it: `listEntries(_:page:)`.
    static func keys(_ function: String) -> [[String]] {
        let name = base(function)
        return keys[name] ?? [["other", name]]
    }

    static func span(_ function: String) -> String { "datastore." + base(function) }

    private static func base(_ function: String) -> String { String(function.prefix { $0 != "(" }) }
}
