// SPDX-License-Identifier: Apache-2.0

/// SPIRE 1.16's default policy, row by row, in words of its own: nothing here comes from the table under test.
package enum ReferencePolicy {
    package struct Row: Sendable, CustomStringConvertible {
        package let service: String
        package let method: String
        /// Of `any`, `local`, `admin`, `agent`, `downstream`.
        package let allowed: Set<String>
        /// Only on the local socket.
        package let isLocalOnly: Bool
        package var path: String { "/\(service)/\(method)" }
        package var description: String { path }
    }

    private static func rows(
        _ service: String, _ methods: String, _ allowed: Set<String>, localOnly: Bool = false
    ) -> [Row] {
        methods.split(separator: " ").map {
            Row(service: service, method: String($0), allowed: allowed, isLocalOnly: localOnly)
        }
    }

    private static let api = "spire.api.server."
    private static let operators: Set<String> = ["local", "admin"]

    package static let rows: [Row] =
        rows(api + "agent.v1.Agent", "CountAgents ListAgents GetAgent DeleteAgent BanAgent CreateJoinToken", operators)
        + rows(api + "agent.v1.Agent", "AttestAgent", ["any"])
        + rows(api + "agent.v1.Agent", "RenewAgent PostStatus", ["agent"])
        + rows(api + "bundle.v1.Bundle", "GetBundle", ["any"])
        + rows(api + "bundle.v1.Bundle", "PublishJWTAuthority PublishWITAuthority", ["downstream"])
        + rows(api + "bundle.v1.Bundle", "GetFederatedBundle", ["local", "admin", "agent"])
        + rows(
            api + "bundle.v1.Bundle",
            "CountBundles AppendBundle ListFederatedBundles BatchCreateFederatedBundle BatchUpdateFederatedBundle BatchSetFederatedBundle BatchDeleteFederatedBundle",
            operators)
        + rows(api + "entry.v1.Entry", "GetAuthorizedEntries SyncAuthorizedEntries", ["agent"])
        + rows(
            api + "entry.v1.Entry",
            "CountEntries ListEntries GetEntry BatchCreateEntry BatchUpdateEntry BatchDeleteEntry", operators)
        + rows(api + "svid.v1.SVID", "MintX509SVID MintJWTSVID MintWITSVID", operators)
        + rows(api + "svid.v1.SVID", "BatchNewX509SVID NewJWTSVID BatchNewWITSVID", ["agent"])
        + rows(api + "svid.v1.SVID", "NewDownstreamX509CA", ["downstream"])
        + rows(
            api + "trustdomain.v1.TrustDomain",
            "ListFederationRelationships GetFederationRelationship BatchCreateFederationRelationship BatchUpdateFederationRelationship BatchDeleteFederationRelationship RefreshBundle",
            operators)
        + rows(
            api + "localauthority.v1.LocalAuthority",
            "GetJWTAuthorityState PrepareJWTAuthority ActivateJWTAuthority TaintJWTAuthority RevokeJWTAuthority GetX509AuthorityState PrepareX509Authority ActivateX509Authority TaintX509Authority TaintX509UpstreamAuthority RevokeX509Authority RevokeX509UpstreamAuthority GetWITAuthorityState PrepareWITAuthority ActivateWITAuthority TaintWITAuthority RevokeWITAuthority",
            operators)
        + rows(api + "logger.v1.Logger", "GetLogger SetLogLevel ResetLogLevel", ["local"], localOnly: true)
        + rows(api + "debug.v1.Debug", "GetInfo", ["local"], localOnly: true)
        + rows("grpc.health.v1.Health", "Check List Watch", ["local"], localOnly: true)
}
