// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Groundwork
import Issuance
import Logging
import SPIFFE
import Synchronization

extension IdentityKeeper {
    /// A key and the request made with it.
    private struct Draft: Sendable {
        let entry: AgentEntry
        let key: LocalKey
        let request: X509Request
    }

    /// Gets new SVIDs in batches; the keys of one batch are made while the server signs the batch before it.
    ///
    /// - Throws: the first call that failed. What was signed before it stays.
    func sign(_ renewals: [SVIDCache.Renewal]) async throws {
        guard !renewals.isEmpty else { return }
        let size = state.withLock { $0.sizer.size }
        logger.debug(
            "Renewing stale entries",
            metadata: ["cache_type": "workload", LogKey.count: "\(renewals.count)", "limit": "\(size)"])
        var rest = renewals[...]
        var drafts = try await draft(&rest)
        while !drafts.isEmpty {
            let batch = drafts
            let (upcoming, left) = split(rest)
            async let following = draft(upcoming)
            do {
                try await submit(batch)
                state.withLock { $0.sizer.succeeded() }
            } catch {
                state.withLock { $0.sizer.failed() }
                throw Self.wrapped(error, "failed to fetch SVIDs")
            }
            drafts = try await following
            rest = left
        }
    }

    private func split(
        _ rest: ArraySlice<SVIDCache.Renewal>
    ) -> ([SVIDCache.Renewal], ArraySlice<SVIDCache.Renewal>) {
        let size = state.withLock { $0.sizer.size }
        return (Array(rest.prefix(size)), rest.dropFirst(size))
    }

    private func draft(_ rest: inout ArraySlice<SVIDCache.Renewal>) async throws -> [Draft] {
        let (first, left) = split(rest)
        rest = left
        return try await draft(first)
    }

    /// Makes keys and requests on several threads; RSA keys, which take long, on the blocking lane.
    private func draft(_ renewals: [SVIDCache.Renewal]) async throws -> [Draft] {
        for renewal in renewals {
            var metadata: Logger.Metadata = [
                LogKey.entryID: "\(renewal.entry.id)", LogKey.spiffeID: "\(renewal.entry.spiffeID)",
            ]
            guard let expiresAt = renewal.expiresAt else {
                logger.info("Creating X509-SVID", metadata: metadata)
                continue
            }
            metadata[LogKey.expiresAt] = "\(Timestamp.text(expiresAt))"
            logger.info("Renewing X509-SVID", metadata: metadata)
        }
        let type = settings.workloadKeyType
        if type == .rsa2048 || type == .rsa4096 {
            return try await withThrowingTaskGroup(of: Draft.self) { group in
                for renewal in renewals {
                    group.addTask { try await self.lane.run { try Self.draft(renewal.entry, type) } }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
        }
        // Small pieces, so that a short request is not stuck behind a long one on the shared threads.
        let piece = 32
        return try await withThrowingTaskGroup(of: [Draft].self) { group in
            for start in stride(from: 0, to: renewals.count, by: piece) {
                let part = renewals[start..<min(start + piece, renewals.count)]
                group.addTask { try part.map { try Self.draft($0.entry, type) } }
            }
            return try await group.reduce(into: []) { $0.append(contentsOf: $1) }
        }
    }

    private static func draft(_ entry: AgentEntry, _ type: KeyType) throws -> Draft {
        let key = try LocalKey.generate(type)
        let csr = try CSR.make(key: key, uri: entry.spiffeID)
        return Draft(entry: entry, key: key, request: X509Request(entryID: entry.id, csr: csr))
    }

    private func submit(_ drafts: [Draft]) async throws {
        let results = try await server.signX509(drafts.map(\.request), timeout: Self.callTimeout)
        guard results.count == drafts.count else {
            throw SpireError(.serverAnswer, "the server answered \(results.count) of \(drafts.count) CSRs")
        }
        var signed: [(entry: AgentEntry, svid: WorkloadSVID)] = []
        signed.reserveCapacity(drafts.count)
        for (draft, result) in zip(drafts, results) {
            do {
                signed.append((draft.entry, try Self.check(try result.get(), draft)))
            } catch {
                logger.warning(
                    "Failed to mint X509 SVID",
                    metadata: [
                        LogKey.entryID: "\(draft.entry.id)", LogKey.spiffeID: "\(draft.entry.spiffeID)",
                        LogKey.error: "\(error)",
                    ])
            }
        }
        let fresh = signed
        state.withLock { state in
            state.cache.install(fresh)
            state.cache.publish()
        }
        warnOfShortLives(fresh)
        guard logger.logLevel <= .debug else { return }
        for (entry, _) in fresh {
            logger.debug("SVID updated", metadata: ["entry": "\(entry.id)", LogKey.spiffeID: "\(entry.spiffeID)"])
        }
    }

    /// What the server signed must be for our key and the entry's ID: nothing else may be handed to a workload.
    private static func check(_ chain: [[UInt8]], _ draft: Draft) throws -> WorkloadSVID {
        guard let der = chain.first else { throw SpireError(.serverAnswer, "empty certificate chain") }
        let leaf = try CertificateSummary(der)
        guard leaf.spki == draft.key.publicKey.spki else {
            throw SpireError(.serverAnswer, "the certificate is for another key")
        }
        guard leaf.uris == [draft.entry.spiffeID.description] else {
            throw SpireError(.serverAnswer, "the certificate is for another SPIFFE ID")
        }
        return WorkloadSVID(
            chain: chain, privateKey: draft.key.pkcs8, notBefore: leaf.validFrom, notAfter: leaf.validUntil)
    }

    private func warnOfShortLives(_ signed: [(entry: AgentEntry, svid: WorkloadSVID)]) {
        guard let target = settings.availabilityTarget else { return }
        let rule = RotationRule(availabilityTarget: target)
        for (entry, svid) in signed
        where !rule.usesTarget(lifetime: svid.notAfter.timeIntervalSince(svid.notBefore)) {
            logger.warning(
                "X509 SVID lifetime isn't long enough to guarantee the availability_target, falling back to the default rotation strategy",
                metadata: [LogKey.entryID: "\(entry.id)", LogKey.spiffeID: "\(entry.spiffeID)"])
        }
    }
}
