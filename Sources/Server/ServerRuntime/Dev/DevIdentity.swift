// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Groundwork
import Issuance
import NIOCore
import RPC
import SPIFFE
import SwiftProtobuf
import Wire
import WorkloadProtos
import X509

/// The first identity of the calling process, fetched over the Workload API and verified.
struct DevIdentity: Sendable {
    let x509: VerifiedX509SVID
    /// DER PKCS #8.
    let key: Secret<[UInt8]>
    let bundle: X509Bundle
    let jwt: JWTSVID
    /// The trust domain's token keys, a JWKS document.
    let keys: [UInt8]

    static let audience = "dev"
    private static let header: Metadata = ["workload.spiffe.io": "true"]

    /// Asks until the agent is there and knows the caller, at most for `patience`.
    ///
    /// - Parameter check: Throws when waiting on makes no sense.
    static func fetch(
        socketPath: String, trustDomain: TrustDomain, on group: any EventLoopGroup, time: any TimeSource,
        patience: Duration, check: () throws -> Void
    ) async throws -> DevIdentity {
        let client = Channels.unix(path: socketPath, group: group)
        let deadline = time.uptime + patience
        while true {
            do {
                let identity = try await fetch(client, trustDomain, time)
                await client.close()
                return identity
            } catch let status as RPCStatus where time.uptime < deadline && !Task.isCancelled {
                // Not listening yet, or no identity yet: both pass.
                guard status.code == .unavailable || status.code == .permissionDenied else { throw status }
                try check()
                try await time.sleep(for: .milliseconds(50))
            } catch {
                await client.close()
                throw error
            }
        }
    }

    private static func fetch(
        _ client: RPCClient, _ trustDomain: TrustDomain, _ time: any TimeSource
    ) async throws -> DevIdentity {
        let options = CallOptions(timeout: .seconds(5), metadata: header)
        let x509 = try await client.serverStreaming(
            WorkloadAPIMethods.fetchX509SVID, .init(), options: options
        ) { try await $0.next() }
        guard let svid = x509?.svids.first else { throw RPCStatus(.permissionDenied, "no identity issued") }
        let bundle = try X509Bundle(trustDomain, der: svid.bundle)
        let verified = try X509SVID.verify(
            try Certificate.sequence(der: svid.x509Svid), bundles: bundle, at: time.now)

        let token = try await client.unary(
            WorkloadAPIMethods.fetchJWTSVID, .with { $0.audience = [audience] }, options: options)
        let keys = try await client.serverStreaming(
            WorkloadAPIMethods.fetchJWTBundles, .init(), options: options
        ) { try await $0.next() }
        guard let jwks = keys?.bundles[trustDomain.id.description], let text = token.svids.first?.svid else {
            throw RPCStatus(.permissionDenied, "no identity issued")
        }
        let jwt = try JWTSVID.parseAndVerify(
            text, audience: [audience], bundles: JWTBundle(trustDomain, jwks: [UInt8](jwks)), at: time.now)
        return DevIdentity(
            x509: verified, key: Secret([UInt8](svid.x509SvidKey)), bundle: bundle, jwt: jwt, keys: [UInt8](jwks))
    }

    /// Writes `svid.pem`, `svid.key`, `bundle.pem`, `svid.jwt` and `jwks.json`, readable by the caller only.
    func write(to folder: String) throws {
        try AtomicFile.write(Array(chainPEM.utf8), to: folder + "/svid.pem")
        let keyPEM = key.reveal { PEMBlock("PRIVATE KEY", $0).text }
        try AtomicFile.write(Array(keyPEM.utf8), to: folder + "/svid.key")
        try AtomicFile.write(Array(bundlePEM.utf8), to: folder + "/bundle.pem")
        try AtomicFile.write(Array((jwt.token + "\n").utf8), to: folder + "/svid.jwt")
        try AtomicFile.write(keys, to: folder + "/jwks.json")
    }

    func show(folder: String) {
        print(
            """

            This process asked the agent who it is, showing no secret. The answer, verified against the bundle:

            X509-SVID of \(x509.id), valid until \(CivilTime(unix: Int64(x509.leaf.notValidAfter.timeIntervalSince1970)).rfc3339)
            \(chainPEM)
            Bundle of \(bundle.trustDomain)
            \(bundlePEM)
            JWT-SVID of \(jwt.id) for audience "\(Self.audience)", valid until \(CivilTime(unix: Int64(jwt.expiry.timeIntervalSince1970)).rfc3339)
            \(jwt.token)

            Published token keys
            \(String(decoding: keys, as: UTF8.self))

            The same in files: \(folder)/{svid.pem,svid.key,bundle.pem,svid.jwt,jwks.json}
            """)
    }

    private var chainPEM: String {
        // Without the root the verifier added.
        x509.chain.dropLast().map { PEMBlock("CERTIFICATE", $0.der).text }.joined()
    }

    private var bundlePEM: String { bundle.authorities.map { PEMBlock("CERTIFICATE", $0.der).text }.joined() }
}
