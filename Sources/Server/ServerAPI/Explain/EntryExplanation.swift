// SPDX-License-Identifier: Apache-2.0

import Datastore

/// What is asked: a process by its selectors, its agent, the identity it should have; any of them may be left out.
struct ExplainQuestion: Sendable {
    var agentID: String?
    var selectors: Set<Selector> = []
    var spiffeID: String?
    /// Most findings of a kind.
    var limit = 100
}

/// One entry and why it is obtained or not.
struct EntryFinding: Sendable {
    var entry: RegistrationEntry
    var missing: [Selector]
    var expired: Bool
    var parents: ParentVerdict

    var matches: Bool { missing.isEmpty && parents.reaches }
}

/// Finds the entries a question is about and says of each what it lacks. Reads the datastore, never an index, so that
/// what it says is what was stored last.
struct EntryExplanation {
    /// Entries looked at before it gives up.
    static let mostExamined = 20_000
    private static let page = 500

    var agent: ExplainedAgent?
    var matching: [EntryFinding] = []
    var near: [EntryFinding] = []
    var examined = 0
    var truncated = false

    /// - Parameter now: Unix seconds.
    init(_ question: ExplainQuestion, store: any ParentSearch.Reader, domain: String, now: Int64) async throws {
        if let id = question.agentID {
            agent = ExplainedAgent(id: id, state: .unknown)
            if let node = try await store.node(id: id) {
                agent?.state = ExplainedAgent.state(node, now: now)
                agent?.expiresAt = node.expiresAt
                agent?.selectors = Set(try await store.nodeSelectors(id: id))
            }
        }
        var search = ParentSearch(store: store, domain: domain, agent: agent, now: now)
        var filter = EntryFilter()
        filter.spiffeID = question.spiffeID
        if question.spiffeID == nil {
            // What shares nothing with the process is no near match.
            filter.selectors = SelectorMatch(question.selectors.sorted(), .any)
        }
        var token = ""
        repeat {
            let page = try await store.listEntries(filter, page: PageRequest(token: token, size: Self.page))
            for entry in page.items {
                examined += 1
                let missing =
                    question.selectors.isEmpty
                    ? [] : entry.selectors.filter { !question.selectors.contains($0) }.sorted()
                add(
                    EntryFinding(
                        entry: entry, missing: missing, expired: entry.expiresAt != 0 && entry.expiresAt < now,
                        parents: try await search.verdict(onParent: entry.parentID)))
            }
            token = page.nextToken
            shrink(to: question.limit)
            if examined >= Self.mostExamined, !token.isEmpty {
                truncated = true
                token = ""
            }
        } while !token.isEmpty
        if search.isExhausted { truncated = true }
    }

    private mutating func add(_ finding: EntryFinding) {
        if finding.matches { matching.append(finding) } else { near.append(finding) }
    }

    /// Keeps the best: what lacks least, then what at least its agent may obtain.
    private mutating func shrink(to limit: Int) {
        near.sort { a, b in
            (a.missing.count, a.parents.reaches ? 0 : 1, a.entry.id)
                < (b.missing.count, b.parents.reaches ? 0 : 1, b.entry.id)
        }
        matching.sort { ($0.entry.spiffeID, $0.entry.id) < ($1.entry.spiffeID, $1.entry.id) }
        if near.count > limit || matching.count > limit { truncated = true }
        near = Array(near.prefix(limit))
        matching = Array(matching.prefix(limit))
    }
}
