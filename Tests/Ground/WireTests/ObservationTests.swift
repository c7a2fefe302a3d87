// SPDX-License-Identifier: Apache-2.0

import RPC
import Testing

@testable import Wire

@Suite("MethodNames")
struct MethodNamesTests {
    @Test("methods have the original's metric names", arguments: [
        ("spire.api.server.svid.v1.SVID", "BatchNewX509SVID", "svid.v1.svid.batch_new_x509svid"),
        ("spire.api.server.svid.v1.SVID", "MintJWTSVID", "svid.v1.svid.mint_jwtsvid"),
        ("spire.api.server.agent.v1.Agent", "AttestAgent", "agent.v1.agent.attest_agent"),
        ("spire.api.server.trustdomain.v1.TrustDomain", "RefreshBundle", "trustdomain.v1.trust_domain.refresh_bundle"),
        (
            "spire.api.server.localauthority.v1.LocalAuthority", "GetJWTAuthorityState",
            "localauthority.v1.local_authority.get_jwt_authority_state"
        ),
        ("grpc.health.v1.Health", "Check", "health.check"),
        ("spire.api.server.logger.v1.Logger", "GetLogger", "logger.get_logger"),
        ("SpiffeWorkloadAPI", "FetchX509SVID", "workload_api.fetch_x509svid"),
        ("SpiffeWorkloadAPI", "FetchJWTBundles", "workload_api.fetch_jwt_bundles"),
        (
            "spire.api.agent.delegatedidentity.v1.DelegatedIdentity", "SubscribeToX509SVIDs",
            "delegated_identity.subscribe_to_x509_svids"
        ),
    ])
    func names(service: String, method: String, key: String) {
        #expect(MethodNames.parts(MethodPath(service: service, name: method)).joined(separator: ".") == key)
    }
}
