// SPDX-License-Identifier: Apache-2.0

import SPIFFE

/// What sources need of a client: a seam for tests, which script it.
protocol WorkloadAPIStreams: Sendable {
    func followX509Contexts(_ body: (X509Context) async throws -> Void) async throws
    func followX509Bundles(_ body: (BundleSet) async throws -> Void) async throws
    func followJWTBundles(_ body: (BundleSet) async throws -> Void) async throws
    func fetchJWTSVIDs(audience: [String], subject: SPIFFEID?) async throws -> [JWTSVID]
}

extension WorkloadAPIClient: WorkloadAPIStreams {}
