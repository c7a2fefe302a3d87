// SPDX-License-Identifier: Apache-2.0

import AgentCore
import Groundwork
import SPIFFE

/// What an agent learned in one go.
struct EntryNews: Sendable {
    var new: [AgentEntry] = []
    /// IDs of entries it held and does not any more.
    var gone: [String] = []
    var isEmpty: Bool { new.isEmpty && gone.isEmpty }
}

/// What one simulated agent holds: of each entry its version, which is what the protocols compare.
struct HeldEntries: Sendable {
    private var versions: [String: EntrySync.Revision] = [:]
    private var digest = SetDigest()
    private var position: EntryPush.Position?
    private var bundles: [TrustDomain: UInt64] = [:]

    var count: Int { versions.count }
    var ids: [String] { Array(versions.keys) }

    /// Those the agent does not hold in this version.
    func stale(_ revisions: [EntrySync.Revision]) -> [String] {
        revisions.filter { versions[$0.id] != $0 }.map(\.id)
    }

    mutating func take(_ outcome: EntrySync.Outcome) -> EntryNews {
        // What a poll brings is in no known place of the stream's history.
        position = nil
        switch outcome {
        case .complete(let entries): return replace(with: entries)
        case .delta(let present, let changed):
            var news = EntryNews()
            for id in versions.keys where !present.contains(id) { news.gone.append(id) }
            for id in news.gone { remove(id) }
            for entry in changed where add(entry.version) { news.new.append(entry) }
            return news
        }
    }

    // MARK: The stream

    /// What the agent says when it opens a stream.
    var start: EntryPush.Start {
        var start = EntryPush.Start()
        start.position = position
        start.held = digest
        start.bundles = bundles
        return start
    }

    /// - Throws: when what is held now is not what the server says it should be.
    mutating func take(_ change: EntryPush.Change) throws(Mismatch) -> EntryNews {
        var news = EntryNews()
        if change.isComplete {
            news = replace(with: change.entries)
        } else {
            for id in change.removed where remove(id) { news.gone.append(id) }
            for entry in change.entries where add(entry.version) { news.new.append(entry) }
        }
        for refused in change.rejected { add(refused) }
        for pushed in change.bundles { bundles[pushed.bundle.trustDomain] = pushed.version }
        for domain in change.removedDomains { bundles[domain] = nil }
        position = change.position
        if let right = change.digest, right != digest {
            self = HeldEntries()
            throw Mismatch()
        }
        return news
    }

    struct Mismatch: Error, CustomStringConvertible {
        let description = "the agent does not hold what the server says it should"
    }

    // MARK: The set

    private mutating func replace(with entries: [AgentEntry]) -> EntryNews {
        var news = EntryNews()
        let present = Set(entries.map(\.id))
        for id in versions.keys where !present.contains(id) { news.gone.append(id) }
        for id in news.gone { remove(id) }
        for entry in entries where add(entry.version) { news.new.append(entry) }
        return news
    }

    /// - Returns: whether the agent had no such entry.
    @discardableResult
    private mutating func add(_ version: EntrySync.Revision) -> Bool {
        let old = versions.updateValue(version, forKey: version.id)
        if let old { digest.subtract(old) }
        digest.add(version)
        return old == nil
    }

    @discardableResult
    private mutating func remove(_ id: String) -> Bool {
        guard let old = versions.removeValue(forKey: id) else { return false }
        digest.subtract(old)
        return true
    }
}
