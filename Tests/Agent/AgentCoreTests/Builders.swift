// SPDX-License-Identifier: Apache-2.0

import AgentCore
import FoundationEssentials
import Groundwork
import SPIFFE
import TestKit

let domain = try! TrustDomain("example.org")

/// Selectors written as `type:value`.
func selectors(_ texts: String...) -> SelectorSet {
    SelectorSet(
        texts.map { text in
            let parts = text.split(separator: ":", maxSplits: 1).map(String.init)
            return Selector(type: parts[0], value: parts[1])
        })
}

func entry(
    _ id: String, _ path: String = "/web", _ set: SelectorSet = selectors("unix:uid:1"), revision: Int64 = 1,
    federatesWith: [String] = [], hint: String = "", createdAt: Int64 = 0, skipsPrefetch: Bool = false,
    storesSVID: Bool = false
) -> AgentEntry {
    AgentEntry(
        id: id, spiffeID: try! SPIFFEID(domain, path: path), selectors: set,
        federatesWith: federatesWith.map { try! TrustDomain($0) }, revision: revision, storesSVID: storesSVID,
        hint: hint, createdAt: createdAt, skipsPrefetch: skipsPrefetch)
}

let epoch = Date(timeIntervalSince1970: 1_800_000_000)

func svid(from: Date = epoch, seconds: Double = 3600, mark: UInt8 = 1) -> WorkloadSVID {
    WorkloadSVID(
        chain: [[0x30, mark]], privateKey: Secret([mark]), notBefore: from, notAfter: from.addingTimeInterval(seconds))
}

func bundle(_ name: String = "example.org", mark: UInt8 = 1) -> TrustBundle {
    TrustBundle(trustDomain: try! TrustDomain(name), x509Authorities: [.init(der: [0x30, 0x82, mark])])
}

func cache(limit: Int = 1000, _ entries: [AgentEntry] = []) -> SVIDCache {
    var cache = SVIDCache(trustDomain: domain, bundle: bundle(), limit: limit, rule: RotationRule())
    _ = cache.apply(.complete(entries))
    cache.publish()
    return cache
}
