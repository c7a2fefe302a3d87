// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
package import Datastore
package import Groundwork
import Issuance
package import Logging
package import PluginAPI
import SPIFFE
import Synchronization
package import Telemetry

/// The server's own authorities: restores them at start, has new ones prepared, published and taken over in time, and
/// signs identities with the active ones.
///
/// An authority is published in the trust bundle and then recorded as active before it signs anything, so a server that
/// is killed at any moment either continues with it or has never used it. Changes happen one after the other; signing
/// takes a snapshot and never waits for them.
package final class AuthorityService: Sendable {
    /// What the service needs of the datastore.
    package typealias Store = BundleReader & BundleWriter & CAJournalStore

    /// How often due changes are looked for at least.
    package static let interval: Duration = .seconds(10)
    /// More failed rotations than this, and the server is no longer healthy.
    package static let failureThreshold = 10

    /// What signs now. A reference, so that a snapshot costs one reference count.
    final class Signing: Sendable {
        typealias Tokens = (writer: JWSWriter, notAfter: Int64)
        let x509: X509CA?
        let jwt: Tokens?
        let wit: Tokens?

        init(x509: X509CA?, jwt: Tokens?, wit: Tokens?) {
            self.x509 = x509
            self.jwt = jwt
            self.wit = wit
        }
    }

    struct State {
        var x509 = AuthorityMachine()
        var jwt = AuthorityMachine()
        var wit = AuthorityMachine()
        var journal = AuthorityJournal()
        /// The authority behind each slot, signing or not yet.
        var x509Held: [SlotLabel: X509CA] = [:]
        var jwtHeld: [SlotLabel: JWSWriter] = [:]
        var witHeld: [SlotLabel: JWSWriter] = [:]
        var failures = 0

        subscript(kind: AuthorityKind) -> AuthorityMachine {
            get {
                switch kind {
                case .x509: x509
                case .jwt: jwt
                case .wit: wit
                }
            }
            set {
                switch kind {
                case .x509: x509 = newValue
                case .jwt: jwt = newValue
                case .wit: wit = newValue
                }
            }
        }

        /// - Parameter kind: JWT or WIT.
        mutating func hold(_ kind: AuthorityKind, _ writer: JWSWriter, in label: SlotLabel) {
            if kind == .wit { witHeld[label] = writer } else { jwtHeld[label] = writer }
        }
    }

    let settings: AuthoritySettings
    let keyManager: any KeyManager
    let store: any Store
    let source: any X509CASource
    let time: any TimeSource
    let random: any RandomSource
    let logger: Logger
    let meters: AuthorityMeters
    let state = Mutex(State())
    let signing = Mutex(Signing(x509: nil, jwt: nil, wit: nil))
    let turn = Turn()

    /// The server's own trust bundle as this service last stored or read it; `nil` before `start`.
    package let bundle = Watch<TrustBundle?>(nil)
    /// Subject key IDs (hex) of X.509 authorities tainted through this server: identities under them are to be replaced.
    package let taintedX509Authorities = Watch<Set<String>>([])

    /// - Parameter source: Self-signed unless given.
    package init(
        settings: AuthoritySettings, keyManager: any KeyManager, store: any Store, source: (any X509CASource)? = nil,
        time: any TimeSource, random: any RandomSource = SystemRandom(), logger: Logger,
        meter: Meter = .off
    ) {
        self.settings = settings
        self.keyManager = keyManager
        self.store = store
        self.source = source ?? SelfSignedCASource(settings: settings, random: random)
        self.time = time
        self.random = random
        meters = AuthorityMeters(meter, trustDomain: settings.trustDomain.name)
        var logger = logger
        logger[metadataKey: LogKey.subsystem] = "ca_manager"
        self.logger = logger
    }

    /// Restores what an earlier run left and makes what is missing. Call it once, before `run` and before signing.
    ///
    /// - Throws: why the server has no X.509 authority, or no JWT or WIT key, to sign with.
    package func start() async throws {
        try await turn.take {
            try await restore()
            try await advance(.x509)
            guard signing.withLock({ $0.x509 }) != nil else {
                throw SpireError(.authorityUnavailable, "failed to get X.509 CA: no active authority")
            }
            for kind in settings.kinds.dropFirst() { try await advance(kind) }
        }
    }

    /// Prepares and activates authorities as they fall due, and prunes what is past, until cancelled.
    package func run() async {
        var pruneBundleAt = time.uptime + Self.bundlePruneInterval
        var pruneJournalsAt = time.uptime + Self.journalPruneInterval
        while !Task.isCancelled {
            do {
                try await time.sleep(for: pause)
            } catch {
                return
            }
            await tick()
            if time.uptime >= pruneBundleAt {
                await pruneBundle()
                pruneBundleAt = time.uptime + Self.bundlePruneInterval
            }
            if time.uptime >= pruneJournalsAt {
                await pruneJournals()
                pruneJournalsAt = time.uptime + Self.journalPruneInterval
            }
        }
    }

    /// The interval, or less when something falls due before: with lifetimes of a minute, seconds late would be too late.
    private var pause: Duration {
        let now = time.now.timeIntervalSince1970
        let due = state.withLock { state in
            settings.kinds.map { state[$0] }.compactMap { $0.nextDue(now: Int64(now.rounded(.down))) }.min()
        }
        guard let due else { return Self.interval }
        return min(Self.interval, max(.milliseconds(100), .seconds(Double(due) - now)))
    }

    /// Does what is due now. A failure is logged and counted; the next tick tries again.
    package func tick() async {
        for kind in settings.kinds {
            do {
                try await turn.take { try await advance(kind) }
            } catch is CancellationError {
                return
            } catch {
                state.withLock { $0.failures += 1 }
                logger.error("Unable to rotate \(kind.title)", metadata: [LogKey.error: "\(error)"])
            }
        }
    }

    /// Why the server counts as unhealthy: too many rotations failed since it started; `nil` when well.
    package var rotationFailure: String? {
        state.withLock { $0.failures } > Self.failureThreshold
            ? "rotations exceed the threshold number of failures" : nil
    }

    /// Unix seconds.
    var now: Int64 { Int64(time.now.timeIntervalSince1970.rounded(.down)) }

    func machine(_ kind: AuthorityKind) -> AuthorityMachine {
        state.withLock { $0[kind] }
    }

    func change(_ kind: AuthorityKind, _ body: (inout AuthorityMachine) -> Void) {
        state.withLock { body(&$0[kind]) }
    }

    /// Performs actions until none is due. Preparing and activating leave nothing due, so a few rounds suffice; the
    /// bound keeps a lifetime too short to be useful from turning this into a loop.
    private func advance(_ kind: AuthorityKind) async throws {
        for _ in 0..<4 {
            guard let action = machine(kind).next(now: now) else { return }
            switch action {
            case .prepare(let label): try await prepare(kind, label)
            case .activate(let authority): try await activate(kind, authority)
            }
        }
    }

    /// Stores the journal, once there is an active X.509 authority to find it by.
    func record(_ journal: AuthorityJournal) async throws {
        var journal = journal
        let id = journal.activeX509AuthorityID
        if id.isEmpty {
            logger.debug("There is no active X.509 authority yet. Can't save CA journal in the datastore")
        } else {
            if journal.rowID == 0 { logger.info("Creating a new CA journal entry") }
            journal.rowID = try await store.setCAJournal(journal.stored()).id
            logger.debug(
                "Successfully stored CA journal entry in datastore",
                metadata: ["ca_journal_id": "\(journal.rowID)", LogKey.localAuthorityID: "\(id)"])
        }
        state.withLock { [journal] in $0.journal = journal }
    }
}
