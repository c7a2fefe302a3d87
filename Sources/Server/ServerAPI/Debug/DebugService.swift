// SPDX-License-Identifier: Apache-2.0

package import APIProtos
package import Datastore
import FoundationEssentials
package import Groundwork
package import RPC
import SPIFFE
import SwiftProtobuf
import Synchronization
import X509

/// `spire.api.server.debug.v1.Debug`: a few numbers about a running server.
package final class DebugService: APIService {
    package typealias Store = EntryReader & NodeReader & BundleReader

    private let store: any Store
    private let bundles: BundleCache
    /// DER, leaf first, of the server's own certificate.
    private let serverChain: @Sendable () -> [[UInt8]]
    private let time: any TimeSource
    private let started: Duration
    private let known = Mutex<(answer: Spire_Api_Server_Debug_V1_GetInfoResponse, at: Duration)?>(nil)
    private static let maximumAge: Duration = .seconds(5)

    package init(
        store: any Store, bundles: BundleCache, time: any TimeSource,
        serverChain: @escaping @Sendable () -> [[UInt8]]
    ) {
        self.store = store
        self.bundles = bundles
        self.serverChain = serverChain
        self.time = time
        started = time.uptime
    }

    package func add(to table: inout ServiceTable) {
        table.serve(DebugMethods.getInfo, getInfo)
    }

    package func getInfo(
        _ request: Spire_Api_Server_Debug_V1_GetInfoRequest, _ call: Call
    ) async throws -> Spire_Api_Server_Debug_V1_GetInfoResponse {
        let now = time.uptime
        if let known = known.withLock({ $0 }), now - known.at < Self.maximumAge { return known.answer }
        var answer = Spire_Api_Server_Debug_V1_GetInfoResponse()
        do {
            answer.agentsCount = Int32(clamping: try await store.countNodes(NodeFilter()))
        } catch {
            throw APIFailure.internal("failed to count agents", error)
        }
        do {
            answer.entriesCount = Int32(clamping: try await store.countEntries(EntryFilter()))
        } catch {
            throw APIFailure.internal("failed to count entries", error)
        }
        do {
            // As in the original, the own bundle is counted with the others.
            answer.federatedBundlesCount = Int32(clamping: try await store.countBundles())
        } catch {
            throw APIFailure.internal("failed to count bundles", error)
        }
        answer.svidChain = try await chain()
        answer.uptime = Int32(clamping: (now - started).components.seconds)
        known.withLock { $0 = (answer, now) }
        return answer
    }

    private func chain() async throws -> [Spire_Api_Server_Debug_V1_GetInfoResponse.Cert] {
        let reading: BundleCache.Reading
        do {
            reading = try await bundles.reading(of: bundles.trustDomain)
        } catch {
            throw APIFailure.internal("failed to get trust domain bundle", error)
        }
        guard let x509 = reading.x509 else { throw APIFailure.notFound("trust domain bundle not found") }
        let path: [Certificate]
        do {
            path = try X509SVID.verify(der: serverChain(), bundles: x509, at: time.now).chain
        } catch {
            throw APIFailure.internal("failed verification against bundle", error)
        }
        return path.map { certificate in
            .with {
                $0.expiresAt = Int64(certificate.notValidAfter.timeIntervalSince1970)
                $0.subject = NameText.text(certificate.subject)
                guard let uri = Self.uri(of: certificate), let id = try? SPIFFEID(uri) else { return }
                $0.id.trustDomain = id.trustDomain.name
                $0.id.path = id.path
            }
        }
    }

    private static func uri(of certificate: Certificate) -> String? {
        guard let names = try? certificate.extensions.subjectAlternativeNames else { return nil }
        for case .uniformResourceIdentifier(let uri) in names { return uri }
        return nil
    }
}
