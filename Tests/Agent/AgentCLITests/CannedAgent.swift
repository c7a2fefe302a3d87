// SPDX-License-Identifier: Apache-2.0

import APIProtos
import FoundationEssentials
import Groundwork
import NIOPosix
import RPC
import SPIFFE
import SwiftProtobuf
import TestKit
import Wire
import WorkloadProtos

/// Sockets on which a Workload API always says the same, in a folder of their own: `agent.sock` serves two identities,
/// `denied.sock` none, `broken.sock` nonsense, `hostile.sock` texts with `spoiling` in them; nobody listens on
/// `nobody.sock`.
struct CannedAgent {
    /// Dates in the answers do not change from run to run.
    static let start = Date(timeIntervalSince1970: 1_577_836_800)
    static let lifetime = Duration.seconds(30 * 365 * 86_400)

    /// What steers a terminal in every way, and a line that others would like to be read.
    static let spoiling = "\u{1B}[31m\u{9B}1m\u{7F}\u{202E}\u{2028}\r\tend\nFORGED"

    let folder: String
    /// Values that do change, and what the recorded session calls them.
    let names: [(value: String, name: String)]

    static func run(_ body: (CannedAgent) async throws -> Void) async throws {
        let ca = try await TestCA.root(ttl: lifetime, now: start)
        let other = try await TestCA.root("other.org", ttl: lifetime, now: start)
        let below = try await ca.intermediate(ttl: lifetime, now: start)
        let web = try await ca.svid("/web", ttl: lifetime, now: start)
        let db = try await below.svid("/db", ttl: lifetime, now: start)
        var answer = Workload_X509SVIDResponse()
        answer.svids = [web, db].map { svid in
            .with {
                $0.spiffeID = "\(svid.id)"
                $0.x509Svid = Data(svid.chain.joined())
                $0.x509SvidKey = Data(svid.pkcs8)
                $0.bundle = Data(ca.root)
                $0.hint = svid.id.path == "/web" ? "internal" : ""
            }
        }
        answer.federatedBundles = ["spiffe://other.org": Data(other.root)]
        var broken = answer
        broken.svids[0].bundle = Data(other.root)
        var hostile = answer
        for index in hostile.svids.indices { hostile.svids[index].hint += spoiling }
        hostile.federatedBundles = ["spiffe://other.org" + spoiling: Data(other.root)]
        let folder = "/tmp/agent-cli-" + SystemRandom().uuid().prefix(8)
        try FileManager.default.createDirectory(atPath: folder + "/out", withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let names = [
            (folder, "<dir>"), (encoded(web.chain), "<web svid>"), (encoded(db.chain), "<db svid>"),
            (encoded([web.pkcs8]), "<web key>"), (encoded([db.pkcs8]), "<db key>"), (encoded([ca.root]), "<root>"),
            (encoded([other.root]), "<other root>"),
        ]
        let canned = CannedAgent(folder: folder, names: names)
        let tables = [
            ("agent.sock", table(x509: answer, health: .serving)), ("denied.sock", table(x509: nil, health: .notServing)),
            ("broken.sock", table(x509: broken, health: .unknown)),
            ("hostile.sock", table(x509: hostile, health: .serving, spoiling: spoiling)),
        ]
        let group = MultiThreadedEventLoopGroup.singleton
        var listening: [(UnixListener, RPCServer)] = []
        for (name, table) in tables {
            let server = RPCServer(services: table, errorMapper: { RPCStatus(mapping: $0) })
            listening.append(
                (try await UnixListener.bind(path: "\(folder)/\(name)", mode: 0o700, group: group, server: server), server))
        }
        let outcome: Result<Void, any Error>
        do {
            outcome = .success(try await body(canned))
        } catch {
            outcome = .failure(error)
        }
        for (listener, server) in listening {
            await listener.close()
            await server.drain(within: .zero)
        }
        try outcome.get()
    }

    private static func encoded(_ parts: [[UInt8]]) -> String { Data(parts.joined()).base64EncodedString() }

    private static func table(
        x509: Workload_X509SVIDResponse?, health: Grpc_Health_V1_HealthCheckResponse.ServingStatus, spoiling: String = ""
    ) -> ServiceTable {
        let denied = RPCStatus(.permissionDenied, "no identity issued")
        var table = ServiceTable()
        table.unary(HealthMethods.check) { _, _ in .with { $0.status = health } }
        table.serverStreaming(WorkloadAPIMethods.fetchX509SVID) { _, writer, context in
            guard let x509 else { throw denied }
            try await writer.send(x509)
        }
        table.serverStreaming(WorkloadAPIMethods.fetchJWTBundles) { _, writer, _ in
            guard x509 != nil else { throw denied }
            let keys = Data("{\n    \"keys\": []\n}".utf8)
            try await writer.send(
                .with { $0.bundles = ["spiffe://example.org": keys, "spiffe://other.org" + spoiling: keys] })
        }
        table.unary(WorkloadAPIMethods.fetchJWTSVID) { request, _ in
            guard x509 != nil, request.spiffeID.isEmpty || request.spiffeID == "spiffe://example.org/web" else {
                throw denied
            }
            let token = "token-for-" + request.audience.joined(separator: "+") + spoiling
            return .with {
                $0.svids = [
                    .with { $0.spiffeID = "spiffe://example.org/web"; $0.svid = token; $0.hint = "internal" + spoiling },
                    .with { $0.spiffeID = "spiffe://example.org/db"; $0.svid = token },
                ]
            }
        }
        table.unary(WorkloadAPIMethods.validateJWTSVID) { request, _ in
            guard x509 != nil else { throw denied }
            guard request.svid == "good" else {
                throw RPCStatus(.invalidArgument, "expected audience in [\"\(request.audience)\"] (audience=[\"a\"])" + spoiling)
            }
            var claims = Google_Protobuf_Struct()
            claims.fields = [
                "aud": Google_Protobuf_Value(listValue: .with { $0.values = [Google_Protobuf_Value(stringValue: "a&b")] }),
                "exp": Google_Protobuf_Value(numberValue: 1_795_223_548), "sub": Google_Protobuf_Value(stringValue: "x" + spoiling),
                "half": Google_Protobuf_Value(numberValue: 0.5),
            ]
            return .with { [claims] in
                $0.spiffeID = "spiffe://example.org/web" + spoiling
                $0.claims = claims
            }
        }
        return table
    }
}
