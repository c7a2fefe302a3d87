// SPDX-License-Identifier: Apache-2.0

import Datastore
import Dispatch
import Groundwork

/// What a store has to do that lets others write while one reads; one in memory does not.
extension DatastoreConformance {
    package static let moments: [Check] = [
        Check("a listing shows one moment, whatever is written between its statements") { store in
            for name in ["one", "two"] { _ = try await store.createBundle(TrustBundle(trustDomainID: "spiffe://\(name).org")) }
            let made = (0..<1500).map { number in
                var entry = RegistrationEntry.sample("/\(number)", "uid:\(number)", "gid:0")
                entry.dnsNames = ["before.test"]
                entry.federatesWith = ["spiffe://one.org"]
                return entry
            }
            for result in try await store.createEntries(made) { _ = try result.get() }
            let before = try await store.listEntries(EntryFilter(), page: nil).items
            let gap = Gap()
            async let folded = gap.end {
                try await store.foldEntries(EntryFilter(), page: nil, into: [RegistrationEntry]()) { result, piece in
                    if result.isEmpty { gap.stop() }
                    result += piece.entries
                }.result
            }
            await gap.reached()
            do {
                defer { gap.goOn() }
                // In the piece that has not been read yet.
                var changed = before[1200]
                changed.selectors = [Selector(type: "unix", value: "uid:after")]
                changed.dnsNames = ["after.test"]
                changed.federatesWith = ["spiffe://two.org"]
                _ = try await store.updateEntry(changed, fields: [.selectors, .dnsNames, .federatesWith])
                _ = try await store.deleteEntry(id: before[1300].id)
                try await store.add(.sample("/new"))
            }
            let found = try await folded
            try requireEqual(found.count, before.count)
            for (one, other) in zip(found, before) { try requireEqual(one, other) }
            let after = try await store.listEntries(EntryFilter(), page: nil).items
            try requireEqual(after.count, 1500)
            try requireEqual(after[1200].dnsNames + after[1200].federatesWith, ["after.test", "spiffe://two.org"])
        },
    ]
}

/// Stops a read in its middle, until somebody else has done something.
private final class Gap: Sendable {
    private let isReached = Watch(false)
    private let gate = DispatchSemaphore(value: 0)

    /// To be called by a datastore's thread.
    func stop() {
        isReached.update { $0 = true }
        gate.wait()
    }

    func goOn() { gate.signal() }

    func reached() async {
        for await isReached in isReached.changes() where isReached { return }
    }

    /// So that nobody waits for a read that failed before its middle.
    func end<Result: Sendable>(_ read: () async throws -> Result) async throws -> Result {
        defer { isReached.update { $0 = true } }
        return try await read()
    }
}
