// SPDX-License-Identifier: Apache-2.0

import APIProtos
import CLISupport

/// The flags `entry create` and `entry update` share.
struct EntryFlags {
    let entryID: Flag<String>
    let parentID: Flag<String>
    let spiffeID: Flag<String>
    let selectors: Flag<[String]>
    let x509TTL: Flag<Int>
    let jwtTTL: Flag<Int>
    let federatesWith: Flag<[String]>
    let admin: Flag<Bool>
    let downstream: Flag<Bool>
    let storeSVID: Flag<Bool>
    let expiry: Flag<Int>
    let dns: Flag<[String]>
    let hint: Flag<String>
    let disablePrefetch: Flag<Bool>
    let includeJTI: Flag<Bool>
    let data: Flag<String>

    init(_ flags: FlagSet, entryIDHelp: String) {
        entryID = flags.string("entryID", "", entryIDHelp)
        parentID = flags.string("parentID", "", "The SPIFFE ID of this record's parent")
        spiffeID = flags.string("spiffeID", "", "The SPIFFE ID that this record represents")
        selectors = flags.list("selector", "A colon-delimited type:value selector. Can be used more than once")
        x509TTL = flags.int(
            "x509SVIDTTL", "The lifetime, in seconds, for x509-SVIDs issued based on this registration entry.")
        jwtTTL = flags.int(
            "jwtSVIDTTL", "The lifetime, in seconds, for JWT-SVIDs issued based on this registration entry.")
        federatesWith = flags.list(
            "federatesWith", "SPIFFE ID of a trust domain to federate with. Can be used more than once")
        admin = flags.bool(
            "admin",
            "If set, the SPIFFE ID in this entry will be granted access to the SPIRE Server's management APIs")
        downstream = flags.bool(
            "downstream", "A boolean value that, when set, indicates that the entry describes a downstream SPIRE server")
        storeSVID = flags.bool(
            "storeSVID",
            "A boolean value that, when set, indicates that the resulting issued SVID from this entry must be stored through an SVIDStore plugin"
        )
        expiry = flags.int(
            "entryExpiry", "An expiry, from epoch in seconds, for the resulting registration entry to be pruned")
        dns = flags.list(
            "dns",
            "A DNS name that will be included in SVIDs issued based on this entry, where appropriate. Can be used more than once"
        )
        hint = flags.string("hint", "", "The entry hint, used to disambiguate entries with the same SPIFFE ID")
        disablePrefetch = flags.bool(
            "disableX509SVIDPrefetch",
            "A boolean value that, when set, disables prefetching X509 SVID for this entry")
        includeJTI = flags.bool(
            "jwtSVIDIncludeJTI",
            "A boolean value that, when set, includes a unique 'jti' claim in JWT-SVIDs issued for this entry and bypasses the agent JWT-SVID cache"
        )
        data = flags.string(
            "data", "", "Path to a file containing registration JSON (optional). If set to '-', read the JSON from stdin.")
    }

    /// Checks that hold for both commands after those of the parent.
    func checkCommon() throws {
        guard !spiffeID.value.isEmpty else { throw CommandFailure("a SPIFFE ID is required") }
        guard x509TTL.value >= 0 else { throw CommandFailure("a positive x509-SVID TTL is required") }
        guard jwtTTL.value >= 0 else { throw CommandFailure("a positive JWT-SVID TTL is required") }
    }

    /// The entry the flags describe; its parent and additional attributes are the command's business.
    func entry() throws -> Spire_Api_Types_Entry {
        var entry = Spire_Api_Types_Entry()
        entry.id = entryID.value
        entry.spiffeID = try Spire_Api_Types_SPIFFEID(flag: "spiffeID", spiffeID.value)
        entry.selectors = try selectors.value.map(SPIRE.selector)
        entry.x509SvidTtl = try SPIRE.ttl(x509TTL.value, "X509 SVID TTL")
        entry.jwtSvidTtl = try SPIRE.ttl(jwtTTL.value, "JWT SVID TTL")
        entry.federatesWith = federatesWith.value
        entry.admin = admin.value
        entry.downstream = downstream.value
        entry.storeSvid = storeSVID.value
        entry.expiresAt = Int64(expiry.value)
        entry.dnsNames = dns.value
        entry.hint = hint.value
        return entry
    }
}

extension FlagSet {
    /// An integer flag whose default is not shown.
    func int(_ name: String, _ help: String) -> Flag<Int> { int(name, 0, help) }
}
