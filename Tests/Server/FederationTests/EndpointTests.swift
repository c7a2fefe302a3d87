// SPDX-License-Identifier: Apache-2.0

import Datastore
import FoundationEssentials
import Groundwork
import Issuance
import Logging
import NIOCore
import NIOPosix
import SPIFFE
import Synchronization
import TestKit
import Testing
import Web
import Wire
import X509

@testable import Federation

/// The endpoint and the fetcher against each other, over real TLS.
@Suite struct EndpointTests {
    static let group = MultiThreadedEventLoopGroup.singleton

    func bundle(_ ca: TestCA, tainted: Bool = false) -> TrustBundle {
        var bundle = TrustBundle(trustDomainID: "spiffe://example.org")
        bundle.x509Authorities = [.init(der: ca.root, tainted: tainted)]
        bundle.sequenceNumber = 3
        bundle.refreshHint = 11
        return bundle
    }

    func identity(_ svid: TestSVID) -> TLSIdentity {
        TLSIdentity(chain: svid.chain, key: .local(pkcs8: svid.key.pkcs8))
    }

    /// Serves for as long as `body` runs. - Parameter bundle: `nil` for a server that has none.
    func serving(
        _ bundle: TrustBundle?, _ identity: @escaping @Sendable () -> TLSIdentity?,
        _ body: @escaping @Sendable (String) async throws -> Void
    ) async throws {
        let endpoint = BundleEndpoint(
            settings: .init(host: "127.0.0.1", port: 0, refreshHint: .seconds(120)), group: Self.group,
            identity: identity, bundle: { bundle }, time: SystemTime(),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await endpoint.run() }
            defer { tasks.cancelAll() }
            for await address in endpoint.listening.changes() {
                guard let port = address?.port else { continue }
                try await body("https://127.0.0.1:\(port)")
                return
            }
        }
    }

    func fetcher(roots: [Certificate]? = nil) -> BundleFetcher {
        BundleFetcher(group: Self.group, webRoots: roots, timeout: .seconds(10), now: { SystemTime().now })
    }

    func endpoint(_ url: String, _ profile: FederatedEndpoint.Profile) throws -> FederatedEndpoint {
        FederatedEndpoint(trustDomain: try TrustDomain("example.org"), url: url, profile: profile)
    }

    @Test("a peer fetches the bundle from the server that shows exactly the ID it expects")
    func spiffe() async throws {
        let ca = try await TestCA.root()
        let shown = identity(try await ca.svid("/spire/server"))
        let bundle = bundle(ca, tainted: true)
        let known = try X509Bundle(ca.trustDomain, der: ca.root)
        try await serving(bundle) { shown } _: { url in
            let right = try endpoint(url, .httpsSPIFFE(SPIFFEID("spiffe://example.org/spire/server")))
            let fetched = try await fetcher().fetch(right, authenticatedBy: known)
            #expect(fetched.x509Authorities.map(\.der) == [ca.root], "tainted authorities are published too")
            #expect(fetched.refreshHint == .seconds(120), "the endpoint's hint, not the stored one")
            #expect(fetched.sequenceNumber == 3)

            let other = try endpoint(url, .httpsSPIFFE(SPIFFEID("spiffe://example.org/other")))
            let strange = try X509Bundle(ca.trustDomain, der: try await TestCA.root().root)
            let elsewhere = try X509Bundle(TrustDomain("elsewhere.org"), der: ca.root)
            let later = BundleFetcher(
                group: Self.group, timeout: .seconds(10), now: { SystemTime().now.addingTimeInterval(48 * 3600) })
            for (fetcher, endpoint, bundle, reason) in [
                (fetcher(), other, known, "unexpected ID \"spiffe://example.org/spire/server\""),
                (fetcher(), right, strange, "could not verify leaf certificate: x509: certificate signed by unknown authority"),
                (fetcher(), right, elsewhere, "no X.509 bundle for trust domain \"example.org\""),
                (later, right, known, "could not verify leaf certificate: x509: certificate has expired or is not yet valid: "),
            ] {
                let error = await #expect(throws: SpireError.self) { try await fetcher.fetch(endpoint, authenticatedBy: bundle) }
                #expect(error?.code == .federationRefresh)
                let message = error?.message ?? ""
                #expect(message.hasPrefix("failed to fetch bundle: Get \"\(url)\": \(reason)"), "\(message)")
            }
            do {
                _ = try await fetcher().fetch(right, authenticatedBy: nil)
                Issue.record("fetched without anything to authenticate with")
            } catch {
                #expect("\(error)" == "can't perform SPIFFE Authentication: local copy of bundle not found")
            }
        }
    }

    @Test("web authentication against a SPIFFE certificate says which profile is meant")
    func webAgainstSPIFFE() async throws {
        let ca = try await TestCA.root()
        let shown = identity(try await ca.svid("/spire/server"))
        let roots = [try Certificate(spiffeDER: ca.root)]
        try await serving(bundle(ca)) { shown } _: { url in
            do {
                _ = try await fetcher(roots: roots).fetch(endpoint(url, .httpsWeb), authenticatedBy: nil)
                Issue.record("a SPIFFE certificate passed for a web certificate")
            } catch {
                #expect(
                    "\(error)".hasPrefix(
                        "failed to authenticate bundle endpoint using web authentication but the server certificate contains SPIFFE ID \"spiffe://example.org/spire/server\": maybe use https_spiffe instead of https_web: Get \"\(url)\": "
                    ), "\(error)")
            }
        }
    }

    @Test("other methods, other paths and a missing bundle get the original's answers")
    func answers() async throws {
        let ca = try await TestCA.root()
        let shown = identity(try await ca.svid("/spire/server"))
        func endpoint(_ bundle: TrustBundle?) -> BundleEndpoint {
            BundleEndpoint(
                settings: .init(host: "127.0.0.1", port: 0, refreshHint: .seconds(120)), group: Self.group,
                identity: { shown }, bundle: { bundle }, time: SystemTime(),
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        }
        func question(_ method: String, _ path: String) -> WebRequest {
            WebRequest(method: method, target: path)
        }
        let good = endpoint(bundle(ca))
        let document = await good.answer(question("GET", "/"))
        #expect(document.status == 200)
        #expect(document.headers.contains { $0.name == "Content-Type" && $0.value == "application/json" })
        let text = String(decoding: document.body, as: UTF8.self)
        #expect(text.hasPrefix("{\n    \"keys\": ["))
        #expect(text.contains("\"spiffe_refresh_hint\": 120"))
        let post = await good.answer(question("POST", "/"))
        #expect(post.status == 405 && String(decoding: post.body, as: UTF8.self) == "405 method not allowed\n")
        #expect(await good.answer(question("GET", "/x")).status == 404)
        let without = await endpoint(nil).answer(question("GET", "/"))
        #expect(without.status == 500)
        #expect(String(decoding: without.body, as: UTF8.self) == "500 unable to retrieve local bundle\n")
        var damaged = bundle(ca)
        damaged.x509Authorities = [.init(der: [1, 2, 3])]
        let broken = await endpoint(damaged).answer(question("GET", "/"))
        #expect(String(decoding: broken.body, as: UTF8.self) == "500 unable to marshal local bundle\n")
    }
}

@Suite struct ServingCertificateTests {
    @Test("changed files are taken over; damaged ones change nothing; missing ones are named at start")
    func reload() async throws {
        let folder = FileManager.default.temporaryDirectory.path + "/serving-\(SystemRandom().uuid())"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let ca = try await TestCA.root()
        func write(_ svid: TestSVID) throws {
            try AtomicFile.write(pem("CERTIFICATE", svid.chain[0]), to: "\(folder)/cert.pem", mode: 0o644)
            try AtomicFile.write(pem("PRIVATE KEY", svid.pkcs8), to: "\(folder)/key.pem", mode: 0o600)
        }
        func pem(_ label: String, _ der: [UInt8]) -> [UInt8] {
            let text = Data(der).base64EncodedString(options: .lineLength64Characters)
            return Array("-----BEGIN \(label)-----\n\(text)\n-----END \(label)-----\n".utf8)
        }
        func open() async throws -> ServingCertificate {
            try await ServingCertificate.open(
                certificatePath: "\(folder)/cert.pem", keyPath: "\(folder)/key.pem", interval: .seconds(60),
                lane: BlockingLane("tests", width: 1), time: ManualClock(),
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        }
        do {
            _ = try await open()
            Issue.record("opened files that are not there")
        } catch {
            #expect("\(error)".contains("there is no file \(folder)/cert.pem"))
        }
        let first = try await ca.svid("/one")
        try write(first)
        let serving = try await open()
        #expect(serving.identity.chain == [first.chain[0]])
        let second = try await ca.svid("/two")
        try write(second)
        await serving.reload()
        #expect(serving.identity.chain == [second.chain[0]])
        try AtomicFile.write(Array("nonsense".utf8), to: "\(folder)/cert.pem", mode: 0o644)
        await serving.reload()
        #expect(serving.identity.chain == [second.chain[0]])
    }
}
