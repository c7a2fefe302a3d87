// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Groundwork
import Issuance
import Logging
import Synchronization
import Telemetry

extension IdentityKeeper {
    private static let batch = 100
    private static let pause: Duration = .seconds(5)

    /// Finds what authorities tainted since the last look have signed. Tokens go at once, certificates in batches.
    func processTaints() {
        let (authorities, keyIDs, bundle) = state.withLock { state in
            let bundle = state.cache.ownBundle
            return (state.taints.newX509(in: bundle), state.taints.newJWT(in: bundle), bundle)
        }
        if !keyIDs.isEmpty {
            let start = clocks.time.uptime
            let count = state.withLock { $0.jwts.removeAll { token in Self.keyID(of: token).map(keyIDs.contains) ?? false } }
            meters.taintedJWT.record(.ok, clocks.time.uptime - start)
            meters.tainted(jwt: count)
            logger.info("JWT-SVIDs of tainted authorities removed", metadata: [LogKey.count: "\(count)"])
        }
        guard !authorities.isEmpty else { return }
        let roots = authorities.compactMap { try? CertificateSummary($0) }
        for root in roots {
            logger.info(
                "New tainted X.509 authorities found", metadata: ["subject_key_ids": "\(Self.hex(root.subjectKeyID))"])
        }
        let start = clocks.time.uptime
        let svids = state.withLock { $0.cache.allSVIDs() }
        let bad = svids.filter { Self.leads($0.svid.chain, to: roots) }.map(\.id)
        let isAgentBad = Self.leads(agentSVID.chain, to: roots)
        state.withLock { state in
            state.tainted.append(contentsOf: bad)
            if isAgentBad { state.agentMustRotate = true }
        }
        meters.taintedX509.record(.ok, clocks.time.uptime - start)
        meters.tainted(x509: bad.count)
        logger.debug(
            "Tainted X.509 SVIDs", metadata: [LogKey.count: "\(bad.count)", "sequence": "\(bundle.sequenceNumber)"])
        if !bad.isEmpty { taintFound.raise() }
    }

    /// The loop that drops tainted SVIDs little by little, so that the server is not asked for all of them at once.
    func dropTainted() async throws {
        while true {
            if state.withLock({ $0.tainted.isEmpty }) { await taintFound.wait() }
            try Task.checkCancellation()
            while true {
                let left = state.withLock { state in
                    let batch = state.tainted.prefix(Self.batch)
                    state.cache.dropSVIDs(batch)
                    state.tainted.removeFirst(batch.count)
                    state.cache.publish()
                    return state.tainted.count
                }
                signingWanted.raise()
                if left == 0 { break }
                try await clocks.time.sleep(for: Self.pause)
            }
        }
    }

    /// Whether a chain's topmost certificate was signed by one of `roots`.
    private static func leads(_ chain: [[UInt8]], to roots: [CertificateSummary]) -> Bool {
        guard let der = chain.last, let top = try? CertificateSummary(der) else { return false }
        return roots.contains { root in
            guard top.authorityKeyID.isEmpty || top.authorityKeyID == root.subjectKeyID,
                let key = try? root.publicKey()
            else { return false }
            return top.isSigned(by: key)
        }
    }

    /// The `kid` in a token's header.
    private static func keyID(of jwt: WorkloadJWT) -> String? {
        struct Header: Decodable { var kid: String? }
        guard let part = jwt.token.split(separator: ".", maxSplits: 1).first else { return nil }
        var text = part.replacing("-", with: "+").replacing("_", with: "/")
        while text.utf8.count % 4 != 0 { text += "=" }
        guard let data = Data(base64Encoded: String(text)) else { return nil }
        return try? JSONDecoder().decode(Header.self, from: data).kid
    }

    private static func hex(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef")
        return String(bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
    }
}
