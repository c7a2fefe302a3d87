// SPDX-License-Identifier: Apache-2.0

import APIProtos
package import Authority
import Datastore
package import EntryIndex
import FoundationEssentials
import Groundwork
import Issuance
import Logging
package import RPC
package import SPIFFE

/// `spire.api.server.svid.v1.SVID`: mints identities for operators, signs them for agents and downstream servers.
package struct SVIDService: APIService {
    let ids: IDRules
    let issuer: any SVIDIssuer
    let authorized: any AuthorizedEntries
    let bundles: BundleCache
    /// Whether the JWT-SVID profile is on.
    let jwtEnabled: Bool
    /// Whether WIT-SVIDs are switched on.
    let witEnabled: Bool
    /// How many pieces a batch is cut into to be signed side by side.
    let lanes: Int

    package init(
        trustDomain: TrustDomain, issuer: any SVIDIssuer, authorized: any AuthorizedEntries, bundles: BundleCache,
        jwtEnabled: Bool = true, witEnabled: Bool = false, lanes: Int
    ) {
        ids = IDRules(trustDomain)
        self.issuer = issuer
        self.authorized = authorized
        self.bundles = bundles
        self.jwtEnabled = jwtEnabled
        self.witEnabled = witEnabled
        self.lanes = max(1, lanes)
    }

    package func add(to table: inout ServiceTable) {
        table.serve(SVIDMethods.mintX509SVID, mintX509)
        table.serve(SVIDMethods.mintJWTSVID, mintJWT)
        table.serve(SVIDMethods.batchNewX509SVID, batchNewX509)
        table.serve(SVIDMethods.newJWTSVID, newJWT)
        table.serve(SVIDMethods.newDownstreamX509CA, newDownstreamCA)
        table.serve(SVIDMethods.mintWITSVID, mintWIT)
        table.serve(SVIDMethods.batchNewWITSVID, batchNewWIT)
    }

    func requireJWT() throws {
        guard jwtEnabled else { throw APIFailure(.unimplemented, "JWT functionality is disabled") }
    }

    /// Whom an operator has a token minted for.
    /// - Throws: `InvalidArgument`, or `PermissionDenied` for an administrator whose scope does not reach so far.
    func subject(_ proto: Spire_Api_Types_SPIFFEID?, _ call: Call) async throws -> SPIFFEID {
        let id: SPIFFEID
        do {
            id = try ids.workload(proto)
        } catch {
            throw APIFailure.invalid("invalid SPIFFE ID", error)
        }
        call.audit([LogKey.spiffeID: "\(id)"])
        do {
            try call.grant?.scope.checkMint(id, ids.trustDomain)
            try await call.grant?.checkPrivileges(id.description)
        } catch {
            throw EntryService.denied(error)
        }
        return id
    }

    /// Signs a token and answers with it.
    func jwtSVID(
        _ id: SPIFFEID, audience: [String], ttl: Int32, jti: Bool, _ call: Call
    ) async throws -> Spire_Api_Types_JWTSVID {
        // One without a name is none: nobody could accept the token.
        guard audience.contains(where: { !$0.isEmpty }) else {
            throw APIFailure.invalid("at least one audience is required")
        }
        let svid: IssuedToken
        do {
            svid = try await issuer.jwtSVID(id: id, audience: audience, ttl: ttl, includeJTI: jti)
        } catch {
            throw APIFailure.internal("failed to sign JWT-SVID", error)
        }
        call.debug(
            "Server CA successfully signed JWT SVID",
            [
                LogKey.audience: "[\(audience.joined(separator: " "))]", LogKey.spiffeID: "\(id)",
                LogKey.expiration: "\(rfc3339(svid.expiresAt))",
            ])
        return X509SVIDMapping.proto(svid, ids)
    }
}
