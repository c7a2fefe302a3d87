// SPDX-License-Identifier: Apache-2.0

import APIProtos
import RPC
import Testing

@testable import ServerAPI

@Suite struct AuthorizationTableTests {
    static let offered =
        AgentMethods.all + BundleMethods.all + EntryMethods.all + SVIDMethods.all + TrustDomainMethods.all
        + LocalAuthorityMethods.all + LoggerMethods.all + DebugMethods.all + HealthMethods.all + EntrySetMethods.all
        + ExplainMethods.all

    @Test("every method of every service has a row, and there are no rows for others")
    func complete() {
        let rows = AuthorizationTable.standard.rows
        for method in Self.offered { #expect(rows[method.description] != nil, "\(method)") }
        #expect(rows.count == Self.offered.count)
    }

    @Test("who may call what is SPIRE's default policy")
    func callers() throws {
        let anyone: Set = ["GetBundle", "AttestAgent"]
        let agents: Set = [
            "BatchNewX509SVID", "NewJWTSVID", "BatchNewWITSVID", "GetAuthorizedEntries", "SyncAuthorizedEntries",
            "RenewAgent", "PostStatus",
        ]
        let downstream: Set = ["NewDownstreamX509CA", "PublishJWTAuthority", "PublishWITAuthority"]
        let local = Set((DebugMethods.all + LoggerMethods.all + HealthMethods.all).map(\.description))
        for method in Self.offered {
            let row = try #require(AuthorizationTable.standard[method])
            let expected: CallerClasses =
                if anyone.contains(method.name) {
                    .anyone
                } else if agents.contains(method.name) {
                    .agent
                } else if downstream.contains(method.name) {
                    .downstream
                } else if method.name == "GetFederatedBundle" {
                    [.local, .admin, .agent]
                } else if local.contains(method.description) {
                    .local
                } else {
                    [.local, .admin]
                }
            #expect(row.callers == expected, "\(method)")
        }
    }

    @Test("rate limits are SPIRE's: bucket, rate and the text of a refusal")
    func rates() throws {
        let expected: [(MethodPath, RateBucket, Int, String)] = [
            (AgentMethods.attestAgent.path, .attestation, 1, "attest agent rate limiting"),
            (AgentMethods.renewAgent.path, .signing, 500, "renew agent rate limiting"),
            (AgentMethods.postStatus.path, .postStatus, 10, "post status rate limiting"),
            (SVIDMethods.batchNewX509SVID.path, .signing, 500, "certificate signing rate limiting"),
            (SVIDMethods.newJWTSVID.path, .jwtSigning, 500, "JWT signing request rate limiting"),
            (SVIDMethods.batchNewWITSVID.path, .witSigning, 500, "certificate signing rate limiting"),
            (SVIDMethods.newDownstreamX509CA.path, .signing, 500, "downstream CA signing rate limit"),
            (BundleMethods.publishJWTAuthority.path, .keyPublishing, 500, "key publishing rate limiting"),
            (BundleMethods.publishWITAuthority.path, .keyPublishing, 500, "key publishing rate limiting"),
        ]
        for (method, bucket, rate, text) in expected {
            let rule = try #require(AuthorizationTable.standard[method]?.rate)
            #expect(rule.bucket == bucket)
            #expect(bucket.rate == rate)
            #expect(rule.refusal == "rejecting request due to \(text)")
        }
        let limited = AuthorizationTable.standard.rows.values.filter { $0.rate != nil }
        #expect(limited.count == expected.count)
    }
}
