// SPDX-License-Identifier: Apache-2.0

import Authority
import Datastore
import Groundwork
import Issuance
import PluginAPI
import PluginsBasic
import Synchronization

/// Lets work through until a chosen step, then fails it and everything after: a process that is killed there.
final class Fuse: Sendable {
    private let state = Mutex<(left: Int, steps: [String])>((.max, []))

    func burn(after steps: Int) { state.withLock { $0 = (steps, []) } }
    func mend() { state.withLock { $0 = (.max, []) } }
    var steps: [String] { state.withLock { $0.steps } }

    func step(_ name: String) throws {
        try state.withLock { state in
            guard state.left > 0 else { throw SpireError(.unavailable, "no \(name) any more") }
            state.left -= 1
            state.steps.append(name)
        }
    }
}

/// The rows an authority needs, in memory, with the datastore's rules for bundles.
final class MemoryStore: BundleReader, BundleWriter, CAJournalStore {
    private struct State {
        var bundles: [String: TrustBundle] = [:]
        var journals: [Int64: CAJournal] = [:]
        var nextID: Int64 = 1
    }

    private let state = Mutex(State())
    let fuse: Fuse

    init(fuse: Fuse = Fuse()) { self.fuse = fuse }

    func bundle(trustDomainID: String) async throws -> TrustBundle? {
        try fuse.step("read bundle")
        return state.withLock { $0.bundles[trustDomainID] }
    }
    func listBundles(page: PageRequest?) async throws -> Page<TrustBundle> { Page(state.withLock { Array($0.bundles.values) }) }
    func countBundles() async throws -> Int { state.withLock { $0.bundles.count } }

    func createBundle(_ bundle: TrustBundle) async throws -> TrustBundle { try await setBundle(bundle) }
    func updateBundle(_ bundle: TrustBundle, fields: BundleFields) async throws -> TrustBundle { try await setBundle(bundle) }
    func setBundle(_ bundle: TrustBundle) async throws -> TrustBundle {
        state.withLock { $0.bundles[bundle.trustDomainID] = bundle }
        return bundle
    }

    func appendBundle(_ bundle: TrustBundle) async throws -> TrustBundle {
        try fuse.step(bundle.x509Authorities.isEmpty ? "publish JWT" : "publish X509")
        return state.withLock { state in
            var stored = state.bundles[bundle.trustDomainID] ?? TrustBundle(trustDomainID: bundle.trustDomainID)
            let known = Set(stored.x509Authorities.map(\.der))
            stored.x509Authorities += bundle.x509Authorities.filter { !known.contains($0.der) }
            let keys = Set(stored.jwtAuthorities.map(\.keyID))
            stored.jwtAuthorities += bundle.jwtAuthorities.filter { !keys.contains($0.keyID) }
            let wit = Set(stored.witAuthorities.map(\.keyID))
            stored.witAuthorities += bundle.witAuthorities.filter { !wit.contains($0.keyID) }
            stored.sequenceNumber += 1
            state.bundles[bundle.trustDomainID] = stored
            return stored
        }
    }

    func deleteBundle(trustDomainID: String, mode: BundleDeletion) async throws {
        state.withLock { $0.bundles[trustDomainID] = nil }
    }

    func pruneBundle(trustDomainID: String, expiredBefore cutoff: Int64) async throws -> Bool {
        try fuse.step("prune bundle")
        return try state.withLock { state in
            guard var stored = state.bundles[trustDomainID] else { return false }
            let x509 = try stored.x509Authorities.filter { try CertificateSummary($0.der).notAfter > cutoff }
            let jwt = stored.jwtAuthorities.filter { $0.expiresAt > cutoff }
            if x509.isEmpty { throw SpireError(.unknown, "would prune all certificates") }
            let wit = stored.witAuthorities.filter { $0.expiresAt > cutoff }
            let changed =
                x509.count != stored.x509Authorities.count || jwt.count != stored.jwtAuthorities.count
                || wit.count != stored.witAuthorities.count
            (stored.x509Authorities, stored.jwtAuthorities, stored.witAuthorities) = (x509, jwt, wit)
            state.bundles[trustDomainID] = stored
            return changed
        }
    }

    private func changeX509(_ trustDomainID: String, _ id: String, _ body: (inout TrustBundle, Int) throws -> Void) throws {
        try state.withLock { state in
            guard var stored = state.bundles[trustDomainID],
                let index = try stored.x509Authorities.firstIndex(where: {
                    Hex.text(try CertificateSummary($0.der).subjectKeyID) == id
                })
            else { throw SpireError(.notFound, "no ca found with provided subject key ID") }
            try body(&stored, index)
            state.bundles[trustDomainID] = stored
        }
    }

    func taintX509Authority(trustDomainID: String, subjectKeyID: String) async throws {
        try changeX509(trustDomainID, subjectKeyID) { bundle, index in
            if bundle.x509Authorities[index].tainted { throw SpireError(.invalid, "root CA is already tainted") }
            bundle.x509Authorities[index].tainted = true
        }
    }
    func revokeX509Authority(trustDomainID: String, subjectKeyID: String) async throws {
        try changeX509(trustDomainID, subjectKeyID) { bundle, index in
            guard bundle.x509Authorities[index].tainted else {
                throw SpireError(.invalid, "it is not possible to revoke an untainted root CA")
            }
            bundle.x509Authorities.remove(at: index)
        }
    }
    func taintJWTAuthority(trustDomainID: String, keyID: String) async throws -> TrustBundle.JWTAuthority {
        try changeJWT(trustDomainID, keyID) { bundle, index in
            bundle.jwtAuthorities[index].tainted = true
            return bundle.jwtAuthorities[index]
        }
    }
    func revokeJWTAuthority(trustDomainID: String, keyID: String) async throws -> TrustBundle.JWTAuthority {
        try changeJWT(trustDomainID, keyID) { bundle, index in
            guard bundle.jwtAuthorities[index].tainted else {
                throw SpireError(.invalid, "it is not possible to revoke an untainted key")
            }
            return bundle.jwtAuthorities.remove(at: index)
        }
    }
    private func changeJWT(
        _ trustDomainID: String, _ id: String, _ body: (inout TrustBundle, Int) throws -> TrustBundle.JWTAuthority
    ) throws -> TrustBundle.JWTAuthority {
        try state.withLock { state in
            guard var stored = state.bundles[trustDomainID],
                let index = stored.jwtAuthorities.firstIndex(where: { $0.keyID == id })
            else { throw SpireError(.notFound, "no JWT Key found with provided key ID") }
            let key = try body(&stored, index)
            state.bundles[trustDomainID] = stored
            return key
        }
    }

    func setCAJournal(_ journal: CAJournal) async throws -> CAJournal {
        try fuse.step("write journal")
        return state.withLock { state in
            var journal = journal
            if journal.id == 0 {
                journal.id = state.nextID
                state.nextID += 1
            }
            state.journals[journal.id] = journal
            return journal
        }
    }
    func caJournal(activeX509AuthorityID: String) async throws -> CAJournal? {
        try fuse.step("find journal")
        return state.withLock { $0.journals.values.first { $0.activeX509AuthorityID == activeX509AuthorityID } }
    }
    func listCAJournals() async throws -> [CAJournal] { state.withLock { $0.journals.values.sorted { $0.id < $1.id } } }
    func deleteCAJournal(id: Int64) async throws { state.withLock { $0.journals[id] = nil } }
}

/// A key manager that keeps its keys over a restart of the server, with a fuse.
struct FusedKeys: KeyManager {
    let keysBelow: MemoryKeyManager
    let fuse: Fuse

    init(fuse: Fuse) {
        keysBelow = MemoryKeyManager(lane: BlockingLane("test.keys", width: 2))
        self.fuse = fuse
    }

    func generateKey(id: String, type: KeyType) async throws -> any ManagedKey {
        try fuse.step("generate \(id)")
        return try await keysBelow.generateKey(id: id, type: type)
    }
    func key(id: String) async throws -> (any ManagedKey)? { try await keysBelow.key(id: id) }
    func keys() async throws -> [any ManagedKey] {
        try fuse.step("list keys")
        return try await keysBelow.keys()
    }
}
