// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
public import SPIFFE
import WorkloadProtos

/// Everything X.509 the Workload API gives a workload: its identities, and whom to trust.
public struct X509Context: Sendable {
    /// At least one; the first is the default identity. Hints are unique.
    public let svids: [X509SVID]
    /// The X.509 bundles of the workload's own and of federated trust domains.
    public let bundles: BundleSet

    /// The first identity.
    public var defaultSVID: X509SVID { svids[0] }

    /// The identity with a hint.
    public func svid(hint: String) -> X509SVID? { svids.first { $0.hint == hint } }

    /// - Throws: `workload_api` when a mandatory field is empty, or what is wrong with an SVID or a bundle. One bad
    ///   part makes the whole message unusable.
    /// > Spec: Workload API §4.5, §5.2.1.
    init(_ response: Workload_X509SVIDResponse) throws {
        var svids: [X509SVID] = []
        var bundles = BundleSet()
        var hints: Set<String> = []
        for message in response.svids {
            let svid = try Self.svid(message)
            bundles.set(try Self.bundle(svid.id.trustDomain, message.bundle))
            if svid.hint.isEmpty || hints.insert(svid.hint).inserted { svids.append(svid) }
        }
        guard !svids.isEmpty else { throw SPIFFEError(.workloadAPI, "no SVIDs in response") }
        for (name, der) in response.federatedBundles {
            bundles.set(try Self.bundle(TrustDomain(name), der))
        }
        self.svids = svids
        self.bundles = bundles
    }

    init(svids: [X509SVID], bundles: BundleSet) {
        self.svids = svids
        self.bundles = bundles
    }

    private static func svid(_ message: Workload_X509SVID) throws -> X509SVID {
        guard !message.x509Svid.isEmpty, !message.x509SvidKey.isEmpty else {
            throw SPIFFEError(.workloadAPI, "SVID without certificate or key in response")
        }
        let svid = try X509SVID(
            der: Array(message.x509Svid), pkcs8: Array(message.x509SvidKey), hint: message.hint)
        guard message.spiffeID.isEmpty || message.spiffeID == svid.id.description else {
            throw SPIFFEError(.workloadAPI, "SVID of \(svid.id) was sent as another identity")
        }
        return svid
    }

    static func bundle(_ trustDomain: TrustDomain, _ der: Data) throws -> X509Bundle {
        guard !der.isEmpty else {
            throw SPIFFEError(.workloadAPI, "empty bundle for trust domain \"\(trustDomain)\" in response")
        }
        return try X509Bundle(trustDomain, der: Array(der))
    }
}
