// SPDX-License-Identifier: Apache-2.0

import APIProtos
import Datastore
import Groundwork
import Logging
import RPC
import SPIFFE
import SwiftProtobuf

// The entry methods for scoped administrators. What is outside the scope does not exist for them: it is neither shown
// nor counted, and an answer about it is the one about nothing. What they bring about is checked as it will be stored,
// and stored only if nobody has changed it since it was checked.

extension EntryService {
    private static let scanPage = 1000
    private static let attempts = 4

    private var trustDomain: TrustDomain { ids.trustDomain }

    // MARK: Reading

    /// Whether a filter asks for IDs outside the scope: then nothing is found, and no page token tells otherwise.
    private func isOutside(_ filter: EntryFilter, _ scope: AdminScope) -> Bool {
        if let id = filter.spiffeID, !scope.shows(spiffeID: id, trustDomain) { return true }
        if let id = filter.parentID, !scope.shows(parentID: id, trustDomain) { return true }
        return false
    }

    func scopedList(
        _ filter: EntryFilter, page: PageRequest?, _ scope: AdminScope
    ) async throws -> Page<RegistrationEntry> {
        if isOutside(filter, scope) { return Page([]) }
        guard let page else {
            var all: [RegistrationEntry] = []
            try await eachVisible(filter, scope) { all.append($0) }
            return Page(all)
        }
        var request = page
        var isScanning = false
        while true {
            let found = try await store.listEntries(filter, page: request)
            guard !found.items.isEmpty else { return Page([]) }
            guard let first = found.items.firstIndex(where: { scope.shows($0, trustDomain) }),
                let last = found.items.lastIndex(where: { scope.shows($0, trustDomain) })
            else {
                request = PageRequest(token: found.nextToken, size: Self.scanPage)
                isScanning = true
                continue
            }
            if isScanning {
                isScanning = false
                if first > 0 {
                    request.size = first
                    request.token = try await store.listEntries(filter, page: request).nextToken
                }
                request.size = page.size
                continue
            }
            // The token names the row a page ends with, so the page ends with one the caller may know of.
            if last == found.items.count - 1 {
                return Page(found.items.filter { scope.shows($0, trustDomain) }, nextToken: found.nextToken)
            }
            request.size = last + 1
        }
    }

    func scopedCount(_ filter: EntryFilter, _ scope: AdminScope) async throws -> Int {
        if isOutside(filter, scope) { return 0 }
        var count = 0
        try await eachVisible(filter, scope) { _ in count += 1 }
        return count
    }

    private func eachVisible(
        _ filter: EntryFilter, _ scope: AdminScope, _ body: (RegistrationEntry) -> Void
    ) async throws {
        var request = PageRequest(size: Self.scanPage)
        repeat {
            let page = try await store.listEntries(filter, page: request)
            for entry in page.items where scope.shows(entry, trustDomain) { body(entry) }
            request.token = page.nextToken
        } while !request.token.isEmpty
    }

    // MARK: Writing

    /// Checks entries a scoped administrator wants created. - Throws: `APIFailure`.
    func checkScopedCreation(_ entry: RegistrationEntry, _ grant: ScopeGrant) async throws {
        let scope = grant.scope
        do {
            // An id of one's own choice could be another's, or pass for one that `entry apply` declares.
            guard entry.id.isEmpty else { throw OutOfScope("entry IDs are chosen by the server") }
            try scope.check(entry, trustDomain)
            try await grant.checkPrivileges(entry.spiffeID)
        } catch {
            throw Self.denied(error)
        }
        try await checkBelow(entry, scope)
    }

    /// Whoever obtains an entry obtains all entries below its SPIFFE ID as well. So none of those may be outside the
    /// scope: an entry there would reach agents its makers never meant.
    private func checkBelow(_ entry: RegistrationEntry, _ scope: AdminScope) async throws {
        var visited: Set<String> = [entry.spiffeID]
        var queue = [entry.spiffeID]
        var looked = 0
        while let id = queue.popLast() {
            var filter = EntryFilter()
            filter.parentID = id
            var request = PageRequest(size: Self.scanPage)
            repeat {
                let page: Page<RegistrationEntry>
                do {
                    page = try await store.listEntries(filter, page: request)
                } catch {
                    throw APIFailure.internal("failed to list entries", error)
                }
                for child in page.items {
                    looked += 1
                    guard looked <= 20_000, (try? scope.check(child, trustDomain)) != nil else {
                        throw Self.denied(
                            OutOfScope("entries outside the scope are below SPIFFE ID \(entry.spiffeID)"))
                    }
                    if visited.insert(child.spiffeID).inserted { queue.append(child.spiffeID) }
                }
                request.token = page.nextToken
            } while !request.token.isEmpty
        }
    }

    func scopedUpdate(
        _ wanted: RegistrationEntry, _ fields: EntryFields, _ grant: ScopeGrant
    ) async throws -> RegistrationEntry {
        let scope = grant.scope
        for _ in 0..<Self.attempts {
            guard let stored = try await visible(wanted.id, scope) else { throw SpireError(.notFound, "datastore-sql: record not found") }
            let merged = stored.merging(wanted, fields)
            do {
                try scope.check(stored, trustDomain)
                try scope.check(merged, trustDomain)
                try await grant.checkPrivileges(merged.spiffeID)
            } catch {
                throw Self.denied(error)
            }
            try await checkBelow(merged, scope)
            let change = EntryChange.update(wanted, fields: fields, expectedRevision: stored.revisionNumber)
            switch try await perform(change) {
            case .done(let updated): return updated
            case .gone: throw SpireError(.notFound, "datastore-sql: record not found")
            case .stale, .similar: continue
            }
        }
        throw APIFailure(.aborted, "the entry is being changed by somebody else")
    }

    /// - Throws: `not_found` for what is not there and what is outside the scope alike.
    func scopedDelete(_ id: String, _ scope: AdminScope) async throws {
        for _ in 0..<Self.attempts {
            guard let stored = try await visible(id, scope) else { throw SpireError(.notFound, "datastore-sql: record not found") }
            do {
                try scope.check(stored, trustDomain)
            } catch {
                throw Self.denied(error)
            }
            switch try await perform(.delete(id: id, expectedRevision: stored.revisionNumber)) {
            case .done: return
            case .gone: throw SpireError(.notFound, "datastore-sql: record not found")
            case .stale, .similar: continue
            }
        }
        throw APIFailure(.aborted, "the entry is being changed by somebody else")
    }

    private func visible(_ id: String, _ scope: AdminScope) async throws -> RegistrationEntry? {
        guard let stored = try await store.entry(id: id), scope.shows(stored, trustDomain) else { return nil }
        return stored
    }

    private func perform(_ change: EntryChange) async throws -> EntryChangeOutcome {
        guard let result = try await store.changeEntries([change], turn: nil).first else {
            throw APIFailure(.internal, "the datastore did not answer")
        }
        return try result.get()
    }

    /// What the datastore could not tell is no refusal, but no leave either.
    static func denied(_ error: any Error) -> APIFailure {
        guard error is OutOfScope else { return APIFailure.internal("failed to check the administrator's scope", error) }
        return APIFailure(.permissionDenied, "outside the administrator's scope", cause: "\(error)")
    }
}
