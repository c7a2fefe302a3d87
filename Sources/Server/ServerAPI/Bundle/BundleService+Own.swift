// SPDX-License-Identifier: Apache-2.0

package import APIProtos
import Datastore
import Groundwork
import Logging
import RPC
import SPIFFE
import SwiftProtobuf

extension BundleService {
    package func count(
        _ request: Spire_Api_Server_Bundle_V1_CountBundlesRequest, _ call: Call
    ) async throws -> Spire_Api_Server_Bundle_V1_CountBundlesResponse {
        do {
            let count = try await store.countBundles()
            return .with { $0.count = Int32(clamping: count) }
        } catch {
            throw APIFailure.internal("failed to count bundles", error)
        }
    }

    /// The own bundle. Every agent asks for it every few seconds: it is answered from the cache.
    package func get(
        _ request: Spire_Api_Server_Bundle_V1_GetBundleRequest, _ call: Call
    ) async throws -> Spire_Api_Types_Bundle {
        call.audit([LogKey.trustDomain: "\(trustDomain)"])
        let reading: BundleCache.Reading
        do {
            reading = try await cache.reading(of: trustDomain)
        } catch {
            throw APIFailure.internal("failed to fetch bundle", error)
        }
        guard reading.bundle != nil else { throw APIFailure.notFound("bundle not found") }
        guard let proto = reading.proto else { throw APIFailure(.internal, "failed to convert bundle") }
        return BundleMapping.masked(proto, request.hasOutputMask ? request.outputMask : nil)
    }

    /// Adds authorities to the own bundle; those it has are passed over.
    package func append(
        _ request: Spire_Api_Server_Bundle_V1_AppendBundleRequest, _ call: Call
    ) async throws -> Spire_Api_Types_Bundle {
        guard !request.jwtAuthorities.isEmpty || !request.x509Authorities.isEmpty else {
            throw APIFailure.invalid("no authorities to append")
        }
        call.audit([LogKey.trustDomain: "\(trustDomain)"])
        var bundle = TrustBundle(trustDomainID: trustDomain.id.description)
        do {
            bundle.jwtAuthorities = try BundleMapping.jwtAuthorities(request.jwtAuthorities)
        } catch {
            throw APIFailure.invalid("failed to convert JWT authority", error)
        }
        do {
            bundle.x509Authorities = try BundleMapping.x509Authorities(request.x509Authorities)
        } catch {
            throw APIFailure.invalid("failed to convert X.509 authority", error)
        }
        call.audit(bundle.audit)
        let appended: TrustBundle
        do {
            appended = try await store.appendBundle(bundle)
        } catch {
            throw APIFailure.internal("failed to append bundle", error)
        }
        return try answer(appended, request.hasOutputMask ? request.outputMask : nil)
    }

    /// Adds a downstream server's token key to the own bundle and answers with all of them.
    package func publishJWTAuthority(
        _ request: Spire_Api_Server_Bundle_V1_PublishJWTAuthorityRequest, _ call: Call
    ) async throws -> Spire_Api_Server_Bundle_V1_PublishJWTAuthorityResponse {
        guard request.hasJwtAuthority else { throw APIFailure.invalid("missing JWT authority") }
        var bundle = TrustBundle(trustDomainID: trustDomain.id.description)
        do {
            bundle.jwtAuthorities = [try BundleMapping.jwtAuthority(request.jwtAuthority)]
        } catch {
            throw APIFailure.invalid("invalid JWT authority", error)
        }
        do {
            let all = try await store.appendBundle(bundle)
            return .with { $0.jwtAuthorities = all.jwtAuthorities.map(BundleMapping.jwtKey) }
        } catch {
            throw APIFailure.internal("failed to publish JWT key", error)
        }
    }
}
