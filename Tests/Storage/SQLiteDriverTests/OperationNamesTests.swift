// SPDX-License-Identifier: Apache-2.0

import Datastore
import Groundwork
import Logging
import SQLDatastore
import SQLiteDriver
import Synchronization
import Telemetry
import TestKit
import Testing

@Suite struct OperationNamesTests {
    /// Keeps the names of what was recorded.
    private final class Names: MetricSink {
        struct Outlet: MetricOutlet {
            let names: Names
            let name: String
            func record(_ value: Double) { _ = names.seen.withLock { $0.insert(name) } }
        }

        let seen = Mutex<Set<String>>([])

        func outlet(_ kind: MetricKind, _ name: MetricName) -> (any MetricOutlet)? {
            Outlet(names: self, name: name.parts.joined(separator: "."))
        }

        func take() -> Set<String> {
            seen.withLock { seen in
                defer { seen = [] }
                return seen
            }
        }
    }

    /// What an operation is counted as, its times left out.
    private func counted(_ operation: (SQLDatastore) async throws -> Void) async throws -> Set<String> {
        let names = Names()
        let meter = Meter(TelemetryConfig(), program: "spire_server", trustDomain: "example.org", host: "", sinks: [names])
        let scratch = Scratch()
        defer { scratch.remove() }
        var configuration = SQLDatastoreConfiguration(connectionString: scratch.path + "/datastore.sqlite3")
        configuration.instruments = Instruments(meter: meter)
        let store = try await SQLiteDatastore.open(
            configuration, time: ManualClock(), random: SystemRandom(), logger: Logger(label: "test"))
        _ = names.take()
        do { try await operation(store) } catch { #expect(error is SpireError) }
        await store.close()
        return names.take().filter { !$0.hasSuffix("elapsed_time") }
    }

    @Test("operations that are done in another way than the original's are counted under its names")
    func names() async throws {
        let prefix = "spire_server.datastore."
        #expect(
            try await counted { _ = try await $0.foldEntries(EntryFilter(), page: nil, into: 0) { $0 += $1.count } }
                == [prefix + "registration_entry.list"])
        #expect(
            try await counted { _ = try await $0.listEntryRecords(EntryFilter(), page: nil) }
                == [prefix + "registration_entry.list"])
        #expect(
            try await counted { _ = try await $0.entryRecords(ids: ["a"]) } == [prefix + "registration_entry.fetch"])
        #expect(
            try await counted { _ = try await $0.federationRelationships(unless: nil) }
                == [prefix + "federation_relationship.list"])
        #expect(
            try await counted { _ = try await $0.entryEvents(after: 0) } == [prefix + "registration_entry_event.list"])
        #expect(try await counted { _ = try await $0.nodeEvents(after: 0) } == [prefix + "node_event.list"])
    }

    @Test("what is done to an authority is counted as that, also when it fails")
    func authorities() async throws {
        let prefix = "spire_server.datastore.bundle."
        let domain = "spiffe://example.org"
        #expect(
            try await counted { try await $0.taintX509Authority(trustDomainID: domain, subjectKeyID: "a") }
                == [prefix + "x509.taint"])
        #expect(
            try await counted { try await $0.revokeX509Authority(trustDomainID: domain, subjectKeyID: "a") }
                == [prefix + "x509.revoke"])
        #expect(
            try await counted { _ = try await $0.taintJWTAuthority(trustDomainID: domain, keyID: "a") }
                == [prefix + "jwt.taint"])
        #expect(
            try await counted { _ = try await $0.revokeJWTAuthority(trustDomainID: domain, keyID: "a") }
                == [prefix + "jwt.revoke"])
    }
}
