// SPDX-License-Identifier: Apache-2.0

package import Groundwork
import Synchronization

/// Where streams to agents learn that something concerns them: a mailbox an agent, and a bell a stream.
///
/// The index posts what changed, the bundle cache which bundle changed. Nobody waits here, and nothing queues: a stream
/// that is slow finds everything since its last look in one piece, or is told to start over.
package final class AgentBoard: Sendable {
    /// What a stream is rung for.
    struct Flags: Sendable {
        /// The agent's own record changed: is it still one of ours?
        var agent = false
        /// The index was loaded anew: compare digests.
        var check = false
        /// A newer stream of the same agent took this one's place.
        var isSuperseded = false
        /// Trust domain IDs whose bundle changed.
        var bundles: Set<String> = []
    }

    struct Stream: Sendable {
        let bell: Watch<UInt64>
        var cursor: UInt64
        var flags = Flags()
        /// Trust domain IDs it has been sent bundles of.
        var domains: Set<String> = []
    }

    struct Box: Sendable {
        var mail: Mailbox
        /// By number, which grows: the lowest is the oldest.
        var streams: [UInt64: Stream] = [:]
        var idleSince: Duration = .zero
    }

    struct State {
        var boxes: [String: Box] = [:]
        var revision: UInt64 = 0
        var nextStream: UInt64 = 1
        var open = 0
        /// Who wants to be rung when, by the stream's number.
        var alarms: [UInt64: (due: Duration, bell: Watch<UInt64>)] = [:]
        /// Odd while a change is made that has not been posted yet.
        var turns: UInt64 = 0
    }

    package let epoch: UInt64
    let time: any TimeSource
    let state = Mutex(State())

    /// Streams of one agent at a time: more than one only while it moves from one connection to the next.
    static let streamsPerAgent = 4
    /// How long the mailbox of an agent without a stream is kept.
    static let memory: Duration = .seconds(600)
    private static let idleLimit = 20_000

    package init(time: any TimeSource, random: any RandomSource) {
        self.time = time
        epoch = random.next()
    }

    /// How many streams are open.
    package var streamCount: Int { state.withLock { $0.open } }

    /// Whether anybody would read what is posted.
    var isAwaited: Bool { state.withLock { !$0.boxes.isEmpty } }

    /// Which state nothing has been changed since; `nil` while a change is made.
    var calm: UInt64? { state.withLock { $0.turns % 2 == 0 ? $0.turns : nil } }

    // MARK: Posting

    /// A change begins: what the index answers from now on may be ahead of what is posted.
    func begin() { state.withLock { $0.turns += 1 } }

    /// Everything the change concerns has been posted.
    func finish() { state.withLock { $0.turns += 1 } }

    /// Puts what a change concerns into mailboxes.
    func post(_ concern: Concern) {
        guard !concern.isEmpty else { return }
        let groups = concern.groups.map { (group: $0, keys: Mailbox.Keys($0.keys)) }
        ring { state in
            state.revision += 1
            var rung: Set<String> = []
            for (group, keys) in groups where group.isEverything || !keys.keys.isEmpty {
                for path in group.paths where state.boxes[path] != nil {
                    if group.isEverything {
                        state.boxes[path]?.mail.forget(upTo: state.revision)
                    } else {
                        state.boxes[path]?.mail.add(keys, state.revision)
                    }
                    rung.insert(path)
                }
            }
            return rung.flatMap { path in state.boxes[path].map { Array($0.streams.values) } ?? [] }
        }
    }

    /// Something changed that was not written down: everybody compares digests, and nobody resumes from before.
    func postDoubt() {
        ring { state in
            state.revision += 1
            for path in Array(state.boxes.keys) {
                // Streams that are open go on: their next comparison finds out whether something is amiss.
                if state.boxes[path]?.streams.isEmpty == true { state.boxes[path] = nil }
            }
            return Self.flag(&state, where: { _, _ in true }) { flags in
                flags.check = true
                flags.agent = true
            }
        }
    }

    /// The records of these agents (paths) changed.
    func post(agents paths: some Sequence<String>) {
        ring { state in
            var rung: [Stream] = []
            for path in paths {
                guard let streams = state.boxes[path]?.streams else { continue }
                for (number, stream) in streams {
                    state.boxes[path]?.streams[number]?.flags.agent = true
                    rung.append(stream)
                }
            }
            return rung
        }
    }

    /// A bundle changed, or may have: those who were sent it look again.
    package func post(bundle trustDomainID: String) {
        ring { state in
            Self.flag(&state, where: { _, stream in stream.domains.contains(trustDomainID) }) {
                $0.bundles.insert(trustDomainID)
            }
        }
    }

    /// Forgets mailboxes nobody came back for.
    func sweep() {
        let now = time.uptime
        state.withLock { state in
            let idle = state.boxes.filter { $0.value.streams.isEmpty }
            let keepsAll = idle.count <= Self.idleLimit
            for (path, box) in idle where !keepsAll || now - box.idleSince >= Self.memory { state.boxes[path] = nil }
        }
    }

    private func ring(_ body: (inout State) -> [Stream]) {
        for stream in state.withLock({ body(&$0) }) { stream.bell.update { $0 &+= 1 } }
    }

    private static func flag(
        _ state: inout State, where isMeant: (String, Stream) -> Bool, _ change: (inout Flags) -> Void
    ) -> [Stream] {
        var rung: [Stream] = []
        for (path, box) in state.boxes {
            for (number, stream) in box.streams where isMeant(path, stream) {
                if var flags = state.boxes[path]?.streams[number]?.flags {
                    change(&flags)
                    state.boxes[path]?.streams[number]?.flags = flags
                }
                rung.append(stream)
            }
        }
        return rung
    }

    // MARK: Streams

    /// What one look into the mailbox brought.
    struct Found: Sendable {
        /// `nil` when more changed than is known.
        var keys: [EntryKey]?
        var flags: Flags
        var revision: UInt64
    }

    func open(_ path: String) -> (number: UInt64, bell: Watch<UInt64>) {
        let bell = Watch<UInt64>(0)
        var number: UInt64 = 0
        ring { state in
            number = state.nextStream
            state.nextStream += 1
            state.open += 1
            var box = state.boxes[path] ?? Box(mail: Mailbox(floor: state.revision))
            box.streams[number] = Stream(bell: bell, cursor: state.revision)
            var rung: [Stream] = []
            if box.streams.count > Self.streamsPerAgent, let oldest = box.streams.keys.min() {
                box.streams[oldest]?.flags.isSuperseded = true
                if let stream = box.streams[oldest] { rung.append(stream) }
            }
            state.boxes[path] = box
            return rung
        }
        return (number, bell)
    }

    /// Puts a stream back to where its agent says that it was.
    /// - Returns: whether everything since then is known.
    func resume(_ path: String, _ number: UInt64, from position: StreamPosition) -> Bool {
        state.withLock { state in
            guard position.epoch == epoch, position.revision <= state.revision,
                let floor = state.boxes[path]?.mail.floor, position.revision >= floor
            else { return false }
            state.boxes[path]?.streams[number]?.cursor = position.revision
            return true
        }
    }

    /// Takes what came since the last look.
    func take(_ path: String, _ number: UInt64) -> Found {
        state.withLock { state in
            guard let box = state.boxes[path], let stream = box.streams[number] else {
                return Found(keys: [], flags: Flags(isSuperseded: true), revision: state.revision)
            }
            state.boxes[path]?.streams[number]?.cursor = state.revision
            state.boxes[path]?.streams[number]?.flags = Flags()
            return Found(
                keys: box.mail.keys(after: stream.cursor), flags: stream.flags, revision: state.revision)
        }
    }

    /// Moves a stream on to the present. Flags stay up.
    func skip(_ path: String, _ number: UInt64) -> UInt64 {
        state.withLock { state in
            state.boxes[path]?.streams[number]?.cursor = state.revision
            return state.revision
        }
    }

    func note(_ path: String, _ number: UInt64, domains: Set<String>) {
        state.withLock { $0.boxes[path]?.streams[number]?.domains = domains }
    }

    func close(_ path: String, _ number: UInt64) {
        let now = time.uptime
        state.withLock { state in
            state.alarms[number] = nil
            guard state.boxes[path]?.streams.removeValue(forKey: number) != nil else { return }
            state.open -= 1
            state.boxes[path]?.idleSince = now
        }
    }
}
