// SPDX-License-Identifier: Apache-2.0

import Authority
import Groundwork
import Issuance
import SPIFFE
import SQLDatastore
import ServerAPI
import Telemetry

/// What the server's health listener asks about.
/// > Matches: SPIRE server's health checks, names and details.
enum ServerHealth {
    static func checks(
        trustDomain: TrustDomain, bundles: BundleCache, issuer: any SVIDIssuer, rotation: @escaping @Sendable () -> String?,
        datastore: SQLDatastore
    ) throws -> [HealthCheck] {
        let probe = try SPIFFEID(trustDomain, path: "/for/health/check/only")
        let key = try LocalKey.generate(.ecP256).publicKey
        return [
            HealthCheck("server") {
                await state("get_bundle_err") {
                    guard try await bundles.fresh(trustDomain) != nil else {
                        throw SpireError(.notFound, "bundle not found")
                    }
                }
            },
            HealthCheck("server.ca") {
                await state("sign_x509_svid_err") {
                    _ = try await issuer.workloadX509SVID(id: probe, publicKey: key, dnsNames: [], ttl: 0, subject: nil)
                }
            },
            HealthCheck("server.ca.rotator") {
                guard let failure = rotation() else { return .healthy }
                return HealthState(isLive: false, isReady: false, details: ["rotation_err": failure])
            },
            HealthCheck("catalog.datastore") {
                await state("list_bundle_err") { try await datastore.checkHealth() }
            },
        ]
    }

    private static func state(_ name: String, _ body: () async throws -> Void) async -> HealthState {
        do {
            try await body()
            return .healthy
        } catch {
            return HealthState(isLive: false, isReady: false, details: [name: "\(error)"])
        }
    }
}
