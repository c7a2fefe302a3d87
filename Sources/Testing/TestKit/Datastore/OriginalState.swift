// SPDX-License-Identifier: Apache-2.0

package import Datastore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Complete states of original servers, where the machine has them, and what has to be found in any of them.
package enum OriginalState {
    package static let advice = "no ../shared/samples here and SPIRE_SAMPLES is not set"

    /// A file of `spire-state/<database>/server`; `nil` where there are no samples.
    package static func file(_ database: String, _ name: String) -> String? {
        var places = [ThrowawayServer.root + "/../shared/samples"]
        if let named = unsafe getenv("SPIRE_SAMPLES") { places.insert(unsafe String(cString: named), at: 0) }
        return places.map { "\($0)/spire-state/\(database)/server/\(name)" }.first { unsafe access($0, R_OK) == 0 }
    }

    /// Each state was made by the same commands, so only ids, serial numbers and times differ.
    /// - Throws: `ConformanceFailure` for the first thing that is not as the original stored it.
    package static func check(_ store: any Datastore, token: String) async throws {
        let entries = try await store.listEntries(EntryFilter(), page: nil).items
        try requireEqual(entries.count, 9)
        let named = Dictionary(entries.map { ($0.spiffeID.split(separator: "/").last ?? "", $0) }) { first, _ in first }
        let web = named["web"]
        try requireEqual(web?.parentID, "spiffe://example.org/node-a")
        try requireEqual([Int64(web?.x509SVIDTTL ?? 0), web?.revisionNumber ?? 0], [7200, 1])
        try requireEqual(web?.hint, "internal")
        try requireEqual(web?.dnsNames, ["web.example.org"])
        try requireEqual(web?.selectors, [Selector(type: "unix", value: "uid:0")])
        try require((1_795_223_000...1_795_224_000).contains(web?.createdAt ?? 0), "created \(web?.createdAt ?? 0)")
        try requireEqual(named["db"]?.admin, true)
        try requireEqual(named["db"]?.selectors.map(\.value), ["uid:0", "gid:0"])
        try requireEqual(named["downstream"]?.downstream, true)
        try requireEqual(named["stored"]?.storeSVID, true)
        try requireEqual(named["stored"]?.selectors.map(\.value), ["secretname:x", "kmskeyid:y"])
        try requireEqual(named["expiring"]?.expiresAt, 4_102_444_800)
        try requireEqual(named["custom"]?.id, "my-own-entry.id_1")
        try requireEqual(named["rack-1"]?.parentID, "spiffe://example.org/spire/server")
        try requireEqual(named["fed"]?.federatesWith, ["spiffe://other.org"])

        let bundles = try await store.listBundles(page: nil).items
        try requireEqual(bundles.map(\.trustDomainID), ["spiffe://example.org", "spiffe://other.org"])
        try requireEqual([bundles[0].x509Authorities.count, bundles[0].jwtAuthorities.count], [1, 1])
        let relationship = try await store.federationRelationship(trustDomain: "third.org")
        try requireEqual(relationship?.profile, .httpsSPIFFE(endpointID: "spiffe://third.org/spire/server"))
        try requireEqual(relationship?.bundleEndpointURL, "https://third.org/bundle")

        let nodes = try await store.listNodes(NodeFilter(), page: nil, withSelectors: true).items
        try requireEqual(nodes.map(\.attestationType), ["join_token"])
        try requireEqual(nodes[0].agentVersion, "1.15.3")
        try requireEqual([nodes[0].newExpiresAt, nodes[0].canReattest ? 1 : 0], [0, 0])
        try require((2_110_583_000...2_110_584_000).contains(nodes[0].expiresAt), "expires \(nodes[0].expiresAt)")
        try require(nodes[0].serialNumber.count > 30, "serial number \(nodes[0].serialNumber)")
        try requireEqual(try await store.node(id: nodes[0].spiffeID)?.serialNumber, nodes[0].serialNumber)
        try require(try await store.joinToken(token)?.expiry ?? 0 > 2_110_000_000, "the unused token is there")
        let journals = try await store.listCAJournals()
        try requireEqual(journals.count, 1)
        try require(journals[0].data.count > 700, "the journal is whole")
        try requireEqual(
            try await store.caJournal(activeX509AuthorityID: journals[0].activeX509AuthorityID), journals[0])
        try requireEqual(try await store.latestEntryEventID(), 10)
        try requireEqual(try await store.latestNodeEventID(), 3)
    }
}
