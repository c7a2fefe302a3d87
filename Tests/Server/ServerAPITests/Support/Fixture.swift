// SPDX-License-Identifier: Apache-2.0

import APIProtos
import Authority
import Datastore
import EntryIndex
import FoundationEssentials
import Groundwork
import Issuance
import Logging
import NIOCore
import PluginAPI
import RPC
import SPIFFE
import SQLDatastore
import SQLiteDriver
import Synchronization
import TestKit
import Wire
import X509

@testable import ServerAPI

/// The services on a real datastore in memory, with a clock that stands still and an issuer that signs nothing real.
struct Fixture: Sendable {
    let trustDomain: TrustDomain
    let time = ManualClock()
    let random = SeededRandom()
    let logs = LogCapture()
    let store: SQLDatastore
    let issuer: ScriptedIssuer
    let authorized = FixedAuthorization()
    let bundles: BundleCache
    let watched: WatchedBundles
    var environment: CallEnvironment

    init(audit: Bool = false) async throws {
        trustDomain = try TrustDomain("example.org")
        store = try await SQLiteDatastore.open(
            SQLDatastoreConfiguration(connectionString: ":memory:"), time: time, random: random,
            logger: Logger(label: "sql") { _ in SwiftLogNoOpLogHandler() })
        issuer = ScriptedIssuer(trustDomain: trustDomain, time: time)
        bundles = BundleCache(trustDomain: trustDomain, store: store, time: time)
        watched = WatchedBundles(store, cache: bundles)
        environment = CallEnvironment(
            logger: logs.logger(), random: random, limits: RateLimits(time: time), auditEnabled: audit,
            executable: { _ in "/bin/test" })
    }

    var entries: EntryService { EntryService(trustDomain: trustDomain, store: store, authorized: authorized) }
    var bundleService: BundleService { BundleService(store: watched, cache: bundles) }
    var svids: SVIDService {
        SVIDService(trustDomain: trustDomain, issuer: issuer, authorized: authorized, bundles: bundles, lanes: 2)
    }

    func agents(
        attestors: [String: any ServerNodeAttestor] = [:], options: AgentService.Options = .init()
    ) -> AgentService {
        AgentService(
            trustDomain: trustDomain, store: store, issuer: issuer, attestors: attestors, options: options,
            time: time, random: random)
    }

    /// A call of a method as somebody.
    func call(
        _ method: MethodPath, as role: Call.Role = .local, id: String? = nil, address: String? = nil,
        downstream: [RegistrationEntry] = [], peer: PeerIdentity = .inProcess
    ) throws -> Call {
        Call(
            context: RPCContext(method: method, peer: peer), role: role,
            evidence: role == .local ? .transport : .none, callerID: try id.map { try SPIFFEID($0) },
            address: address, downstreamEntries: downstream, row: AuthorizationTable.standard[method],
            environment: environment)
    }

    var authorizer: Authorizer {
        Authorizer(
            adminIDs: [], entries: store, agents: AgentCheck(nodes: store, time: time), environment: environment)
    }
}

/// Answers with made-up bytes and says what it was asked.
final class ScriptedIssuer: SVIDIssuer {
    struct Asked: Sendable, Equatable {
        var id: String
        var ttl: Int32 = 0
        var dnsNames: [String] = []
        var subject: [UInt8]?
        var audience: [String] = []
        var jti = false
        var algorithm = ""
    }

    private let trustDomain: TrustDomain
    private let time: ManualClock
    private let state = Mutex<(asked: [Asked], serial: Int, failure: SpireError?)>(([], 100, nil))

    init(trustDomain: TrustDomain, time: ManualClock) {
        self.trustDomain = trustDomain
        self.time = time
    }

    var asked: [Asked] { state.withLock { $0.asked } }
    func fail(_ error: SpireError) { state.withLock { $0.failure = error } }

    private func next(_ asked: Asked) throws -> Int {
        try state.withLock { state in
            if let failure = state.failure { throw failure }
            state.asked.append(asked)
            state.serial += 1
            return state.serial
        }
    }

    private func x509(_ id: SPIFFEID, _ asked: Asked) throws -> IssuedX509SVID {
        let serial = try next(asked)
        return IssuedX509SVID(
            chain: [[1, 2, 3]], id: id, expiresAt: time.now.addingTimeInterval(3600), serialNumber: "\(serial)")
    }

    func workloadX509SVID(
        id: SPIFFEID, publicKey: PublicKeyInfo, dnsNames: [String], ttl: Int32, subject: [UInt8]?
    ) async throws -> IssuedX509SVID {
        try x509(id, Asked(id: id.description, ttl: ttl, dnsNames: dnsNames, subject: subject))
    }

    func agentX509SVID(id: SPIFFEID, publicKey: PublicKeyInfo) async throws -> IssuedX509SVID {
        try x509(id, Asked(id: id.description))
    }

    func serverX509SVID(publicKey: PublicKeyInfo) async throws -> IssuedX509SVID {
        try x509(SPIFFEID(trustDomain, path: "/spire/server"), Asked(id: "server"))
    }

    func downstreamX509CA(publicKey: PublicKeyInfo, ttl: Int32) async throws -> [[UInt8]] {
        _ = try next(Asked(id: "downstream", ttl: ttl))
        return [[4], [5]]
    }

    func witSVID(id: SPIFFEID, key: ConfirmationKey, ttl: Int32) async throws -> IssuedToken {
        _ = try next(Asked(id: id.description, ttl: ttl, algorithm: key.algorithm))
        return IssuedToken(
            token: "a.b.c", id: id, issuedAt: time.now, expiresAt: time.now.addingTimeInterval(3600))
    }

    func jwtSVID(id: SPIFFEID, audience: [String], ttl: Int32, includeJTI: Bool) async throws -> IssuedToken {
        _ = try next(Asked(id: id.description, ttl: ttl, audience: audience, jti: includeJTI))
        return IssuedToken(
            token: "a.b.c", id: id, issuedAt: time.now, expiresAt: time.now.addingTimeInterval(300))
    }
}

/// Every agent is authorized for what it was given.
final class FixedAuthorization: AuthorizedEntries {
    private let state = Mutex<(entries: [RegistrationEntry], failure: SpireError?)>(([], nil))

    func set(_ entries: [RegistrationEntry]) { state.withLock { $0.entries = entries } }
    func fail(_ error: SpireError) { state.withLock { $0.failure = error } }

    func authorizedEntries(agentID: String) async throws -> [RegistrationEntry] {
        try state.withLock { state in
            if let failure = state.failure { throw failure }
            return state.entries
        }
    }

    func authorizedEntries(agentID: String, ids: Set<String>) async throws -> [String: RegistrationEntry] {
        let entries = try await authorizedEntries(agentID: agentID)
        return Dictionary(entries.filter { ids.contains($0.id) }.map { ($0.id, $0) }) { $1 }
    }
}

extension RegistrationEntry {
    static func made(_ path: String, id: String = "", configure: (inout RegistrationEntry) -> Void = { _ in }) -> Self {
        var entry = RegistrationEntry()
        entry.id = id
        entry.spiffeID = "spiffe://example.org\(path)"
        entry.parentID = "spiffe://example.org/node"
        entry.selectors = [Selector(type: "unix", value: "uid:\(path)")]
        configure(&entry)
        return entry
    }
}

extension Spire_Api_Types_SPIFFEID {
    init(_ trustDomain: String, _ path: String) {
        self.init()
        self.trustDomain = trustDomain
        self.path = path
    }
}

extension Spire_Api_Types_Entry {
    static func made(
        _ path: String = "/web", configure: (inout Spire_Api_Types_Entry) -> Void = { _ in }
    ) -> Spire_Api_Types_Entry {
        var entry = Spire_Api_Types_Entry()
        entry.spiffeID = .init("example.org", path)
        entry.parentID = .init("example.org", "/node")
        var selector = Spire_Api_Types_Selector()
        selector.type = "unix"
        selector.value = "uid:0"
        entry.selectors = [selector]
        configure(&entry)
        return entry
    }
}

/// The status an operation was refused with.
func status(of body: () async throws -> Void) async -> RPCStatus? {
    do {
        try await body()
        return nil
    } catch {
        return APIFailure.status(of: error)
    }
}
