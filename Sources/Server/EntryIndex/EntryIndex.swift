// SPDX-License-Identifier: Apache-2.0

package import Datastore
import FoundationEssentials
package import Groundwork
package import Logging
import Synchronization
package import Telemetry

/// The entries of the trust domain in memory, kept current by the datastore's change events.
///
/// `load()` once, then `run()`; answers come from the state of the last change taken over, without waiting for it.
/// `follow` tells a stream what changes for its agent.
package final class EntryIndex: AuthorizedEntries {
    /// What the following of events has come to; touched by `load`, `refresh` and `run` only, one at a time.
    struct Following: Sendable {
        var entries: EventFeed
        var nodes: EventFeed
        var pendingEntries: Set<String> = []
        var pendingNodes: Set<String> = []
        var isLoaded = false
        var lastLoad: Duration = .zero
        var lastLook: Duration = .zero
        var lastDeepLook: Duration = .zero
        var lastSweep: Duration = .zero
        /// Of the latest look that was taken in.
        var mark: FeedMark?
        var bundles: [BundleStamp]?
    }

    let store: any EntryReader & NodeReader & EventReader
    let trustDomain: String
    let configuration: EntryIndexConfiguration
    let localChanges: Watch<UInt64>
    let bundlesSeen: (@Sendable ([BundleStamp]) -> Void)?
    let time: any TimeSource
    let logger: Logger
    let overlap: Duration
    let reloads: CallCounter
    let gauges: IndexGauges
    let board: AgentBoard
    let tree: Mutex<AuthorizationTree>
    let following: Mutex<Following>
    /// Grows with every reason to look at the datastore.
    let wake = Watch<UInt64>(0)
    let looks = Looks()

    /// - Parameters:
    ///   - store: If it is a `ChangeNotifier`, its signal wakes the index at once after changes; if it is a `FeedReader`,
    ///     one read a look is enough.
    ///   - trustDomain: Bare name; entries and agents of others are ignored.
    ///   - board: Where streams to agents learn what concerns them.
    ///   - localChanges: Another such signal.
    ///   - bundlesSeen: Told at each look which bundles there are, in which version.
    package init(
        store: any EntryReader & NodeReader & EventReader, trustDomain: String,
        configuration: EntryIndexConfiguration = .init(), board: AgentBoard, localChanges: Watch<UInt64>? = nil,
        bundlesSeen: (@Sendable ([BundleStamp]) -> Void)? = nil, time: any TimeSource, logger: Logger,
        meter: Meter = .off
    ) {
        let notifier = store as? any ChangeNotifier
        self.store = store
        self.trustDomain = trustDomain
        self.configuration = configuration
        self.localChanges = localChanges ?? notifier?.localChanges ?? Watch(0)
        self.bundlesSeen = bundlesSeen
        self.time = time
        self.logger = logger
        reloads = meter.call(["entry", "cache", "reload"])
        gauges = IndexGauges(meter)
        self.overlap = notifier?.eventsAppearInOrder == true ? .zero : configuration.overlap
        self.board = board
        self.tree = Mutex(AuthorizationTree(trustDomain: trustDomain))
        self.following = Mutex(
            Following(entries: EventFeed(overlap: overlap), nodes: EventFeed(overlap: overlap)))
    }

    // MARK: Answers

    package func authorizedEntries(agentID: String) async throws -> [RegistrationEntry] {
        let snapshot = self.snapshot
        return snapshot.unpacked(snapshot.authorized(agentID: agentID, now: unixNow))
    }

    package func authorizedEntries(
        agentID: String, ids: Set<String>
    ) async throws -> [String: RegistrationEntry] {
        let snapshot = self.snapshot
        guard let agent = snapshot.vertex(ofID: agentID) else { return [:] }
        let wanted = ids.compactMap { snapshot.slot(ofEntry: $0) }
        var found: [String: RegistrationEntry] = [:]
        for entry in snapshot.unpacked(snapshot.authorized(among: wanted, at: agent, now: unixNow)) {
            found[entry.id] = entry
        }
        return found
    }

    package func authorizedSet(agentID: String) async throws -> AuthorizedSet {
        set(agentID: agentID, in: snapshot)
    }

    /// The tree as it is now.
    var snapshot: AuthorizationTree { tree.withLock { $0 } }

    func set(agentID: String, in snapshot: AuthorizationTree) -> AuthorizedSet {
        AuthorizedSet(snapshot, snapshot.authorized(agentID: agentID, now: unixNow))
    }

    /// Which of the entries the agent may obtain, as they are now, and the ids of the others.
    func judge(
        _ keys: [EntryKey], agentID: String, in snapshot: AuthorizationTree
    ) -> (changed: [RegistrationEntry], removed: [String]) {
        guard let agent = snapshot.vertex(ofID: agentID) else { return ([], keys.map(\.text)) }
        let slots = keys.map { snapshot.slot(of: $0) }
        let granted = snapshot.authorized(among: slots.compactMap { $0 }, at: agent, now: unixNow)
        let isGranted = Set(granted)
        var removed: [String] = []
        for (key, slot) in zip(keys, slots) where slot.map({ !isGranted.contains($0) }) ?? true {
            removed.append(key.text)
        }
        return (snapshot.unpacked(granted), removed)
    }

    /// How many entries and agents the index holds.
    package var counts: (entries: Int, agents: Int) {
        let snapshot = self.snapshot
        return (snapshot.entryCount, snapshot.agentCount)
    }

    /// Begins to follow what an agent is authorized for.
    /// - Returns: `nil` when the ID is none of this trust domain.
    package func follow(agentID: String) -> AgentFollower? {
        let snapshot = self.snapshot
        guard let path = snapshot.domain.path(of: agentID) else { return nil }
        return AgentFollower(self, board, agentID: agentID, path: path)
    }

    /// Tells the gauges how much there is.
    func reportCounts() {
        guard reloads.isOn else { return }
        gauges.report(snapshot)
    }

    var unixNow: Int64 { Int64(time.now.timeIntervalSince1970) }

    // MARK: Changes

    /// Changes the tree and tells whom it concerns; large changes are made on a copy, so that answers do not wait.
    /// There is one changer at a time.
    func change(size: Int, _ body: (inout AuthorizationTree, inout Concern) -> Void) {
        let now = unixNow
        board.begin()
        defer { board.finish() }
        if size <= 64 {
            let concern = tree.withLock { tree in
                // Under the lock: a stream that opens from now on sees the changed tree.
                var concern = Concern(isWanted: board.isAwaited, now: now)
                body(&tree, &concern)
                return concern
            }
            return board.post(concern)
        }
        let isAwaited = board.isAwaited
        var concern = Concern(isWanted: isAwaited, now: now)
        var copy = tree.withLock { $0 }
        body(&copy, &concern)
        tree.withLock { [copy] in $0 = copy }
        if isAwaited {
            board.post(concern)
        } else if board.isAwaited {
            board.postDoubt()
        }
    }
}
