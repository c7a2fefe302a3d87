// SPDX-License-Identifier: Apache-2.0

import Foundation
import Groundwork
import Issuance
import NIOCore
import NIOPosix
import SPIFFE
import Telemetry
import TestKit
import Testing
import Wire
import X509

@testable import Web

@Suite("WebListener")
struct WebListenerTests {
    @Test("answers requests and says how long the body is")
    func answers() async throws {
        try await withServer { request in
            WebResponse(
                status: 200, contentType: "text/plain", body: Array("\(request.method) \(request.path)?\(request.query ?? "")".utf8))
        } body: { port in
            let answer = try await curl(["http://127.0.0.1:\(port)/a%20b?x=1", "-i"])
            #expect(answer.contains("HTTP/1.1 200 OK"))
            #expect(answer.contains("Content-Length: 14"))
            #expect(answer.hasSuffix("GET /a%20b?x=1"))
            #expect(try await curl(["-I", "http://127.0.0.1:\(port)/"]).contains("Content-Length: "))
        }
    }

    @Test("a connection is used again, and closed when the caller asks for it")
    func keepAlive() async throws {
        try await withServer { _ in .text(200, "x") } body: { port in
            let twice = try await curl(["-v", "http://127.0.0.1:\(port)/1", "http://127.0.0.1:\(port)/2"])
            #expect(twice.contains("Re-using existing"))
            let closed = try await curl(["-i", "-H", "Connection: close", "http://127.0.0.1:\(port)/"])
            #expect(closed.contains("Connection: close"))
        }
    }

    @Test("a body beyond the limit is refused, one within it arrives")
    func bodies() async throws {
        var limits = WebLimits()
        limits.maximumBodyBytes = 10
        try await withServer(limits) { request in
            .text(200, String(decoding: request.body, as: UTF8.self))
        } body: { port in
            let url = "http://127.0.0.1:\(port)/"
            let within = try await curl(["-d", "0123456789", url])
            #expect(within == "0123456789\n")
            let beyond = try await curl(["-i", "-d", "0123456789a", url])
            #expect(beyond.contains("413"))
        }
    }

    @Test("what is not HTTP, or has a head without end, ends the connection", arguments: [
        "\u{0}\u{1}\u{2}\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET / HTTP/1.1\r\nX: ",
    ])
    func hostile(start: String) async throws {
        try await withServer { _ in .text(200, "never") } body: { port in
            let rest = start.hasPrefix("GET") ? String(repeating: "a", count: 20_000) : ""
            let answer = try await exchange(port, Array((start + rest).utf8))
            #expect(!answer.contains("never"))
        }
    }

    @Test("a peer that sends nothing, or stops half-way, is cut off", arguments: ["", "GET / HTTP/1.1\r\nHost:"])
    func slow(start: String) async throws {
        var limits = WebLimits()
        limits.requestTimeout = .milliseconds(50)
        try await withServer(limits) { _ in .text(200, "never") } body: { port in
            // Returns only because the server closes.
            let answer = try await exchange(port, Array(start.utf8))
            #expect(answer == "")
        }
    }

    @Test("more connections than allowed are closed at once")
    func crowd() async throws {
        var limits = WebLimits()
        limits.maximumConnections = 1
        try await withServer(limits) { _ in .text(200, "in") } body: { port in
            let first = try await ClientBootstrap(group: Self.group).connect(host: "127.0.0.1", port: port).get()
            #expect(try await exchange(port, Array("GET / HTTP/1.1\r\nConnection: close\r\n\r\n".utf8)) == "")
            try await first.close()
        }
    }

    @Test("a taken port is an error that names it")
    func taken() async throws {
        try await withServer { _ in .notFound } body: { port in
            await #expect(throws: SpireError(.io, "")) {
                _ = try await WebListener.bind(
                    host: "127.0.0.1", port: port, group: Self.group, time: SystemTime()) { _ in .notFound }
            }
        }
    }

    // MARK: TLS

    @Test("shows a certificate that can be replaced while it listens")
    func rotates() async throws {
        let old = try await TestCA.root()
        let new = try await TestCA.root()
        let current = Watch<TLSIdentity?>(try await Self.identity(old))
        try await withServer(tls: WebTLS(identity: { current.value })) { _ in .text(200, "secret") } body: { port in
            try await Folder.with { folder in
                let (a, b) = (try folder.pem(old.root), try folder.pem(new.root))
                #expect(try await openssl(port, a).contains("Verify return code: 0 (ok)"))
                current.set(try await Self.identity(new))
                #expect(try await openssl(port, b).contains("Verify return code: 0 (ok)"))
                let refused = try await openssl(port, a)
                #expect(!refused.contains("Verify return code: 0 (ok)"))
                current.set(nil)
                let silent = try await openssl(port, b)
                #expect(!silent.contains("BEGIN CERTIFICATE"))
            }
        }
    }

    @Test("lets in only clients of the named authorities")
    func clientAuthorities() async throws {
        let server = try await TestCA.root()
        let friends = try await TestCA.root("friends.test")
        let strangers = try await TestCA.root("friends.test")
        let identity = try await Self.identity(server)
        let tls = WebTLS(
            identity: { identity }, clients: .signedBy(try Certificate.sequence(der: friends.root)))
        try await withServer(tls: tls) { _ in .text(200, "secret") } body: { port in
            try await Folder.with { folder in
                let url = "https://127.0.0.1:\(port)/"
                let good = try folder.pair(try await friends.svid("/scraper"))
                let bad = try folder.pair(try await strangers.svid("/scraper"))
                #expect(try await curl(["-k", "--cert", good.0, "--key", good.1, url]) == "secret\n")
                #expect(try await curl(["-k", "--cert", bad.0, "--key", bad.1, url]) == "")
                #expect(try await curl(["-k", url]) == "")
            }
        }
    }

    @Test("asks a function about clients, and shows pages to none it refuses")
    func judged() async throws {
        let ca = try await TestCA.root()
        let identity = try await Self.identity(ca)
        let bundle = X509Bundle(ca.trustDomain, authorities: try Certificate.sequence(der: ca.root))
        let tls = WebTLS(
            identity: { identity },
            clients: .judged { chain in
                let svid = try X509SVID.verify(chain, bundles: bundle, at: SystemTime().now)
                guard svid.id.path == "/scraper" else { throw SpireError(.invalid, "not welcome") }
            })
        try await withServer(tls: tls) { _ in .text(200, "secret") } body: { port in
            try await Folder.with { folder in
                let url = "https://127.0.0.1:\(port)/"
                let good = try folder.pair(try await ca.svid("/scraper"))
                let bad = try folder.pair(try await ca.svid("/other"))
                #expect(try await curl(["-k", "--cert", good.0, "--key", good.1, url]) == "secret\n")
                #expect(try await curl(["-k", "--cert", bad.0, "--key", bad.1, url]) == "")
                #expect(try await curl(["-k", url]) == "")
            }
        }
    }

    @Test("PEM files that cannot be used are named")
    func files() throws {
        #expect(throws: SpireError(.invalid, "")) { try WebTLS.files(certificate: "/nowhere.pem", key: "/nowhere.key") }
        #expect(throws: SpireError(.invalid, "")) { try WebTLS.authorities(file: "/dev/null") }
    }

    @Test("dates are those of HTTP", arguments: [
        (0.0, "Thu, 01 Jan 1970 00:00:00 GMT"), (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
        (1_709_164_799, "Wed, 28 Feb 2024 23:59:59 GMT"), (1_709_164_800, "Thu, 29 Feb 2024 00:00:00 GMT"),
        (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
    ])
    func dates(seconds: Double, text: String) {
        #expect(HTTPDate.text(Date(timeIntervalSince1970: seconds)) == text)
    }

    @Test("the health pages answer on their paths only, with what the parts said last")
    func health() async throws {
        let registry = HealthRegistry(parts: ["server", "server.ca"])
        let page = OperatorPages.health(registry, livePath: "/live", readyPath: "/ready")
        func get(_ path: String) async -> WebResponse { await page(WebRequest(method: "GET", target: path)) }
        #expect(await get("/live").status == 500)
        registry.report("server", .healthy)
        registry.report("server.ca", HealthState(isLive: true, isReady: false, details: ["why": "\"no\""]))
        #expect(await get("/live").status == 200)
        let ready = await get("/ready?x")
        #expect(ready.status == 500)
        #expect(String(decoding: ready.body, as: UTF8.self) == #"{"server":{},"server.ca":{"why":"\"no\""}}"# + "\n")
        #expect(await get("/").status == 404)
    }

    // MARK: Helpers

    private static var group: any EventLoopGroup { MultiThreadedEventLoopGroup.singleton }

    private static func identity(_ ca: TestCA) async throws -> TLSIdentity {
        let svid = try await ca.svid("/spire/server")
        return TLSIdentity(chain: svid.chain, key: .local(pkcs8: Secret(svid.pkcs8)))
    }

    private func withServer(
        _ limits: WebLimits = WebLimits(), tls: WebTLS? = nil, handler: @escaping WebHandler,
        body: (Int) async throws -> Void
    ) async throws {
        let listener = try await WebListener.bind(
            host: "127.0.0.1", port: 0, group: Self.group, tls: tls, limits: limits, time: SystemTime(), handler: handler)
        do {
            try await body(try #require(listener.address.port))
        } catch {
            await listener.close()
            throw error
        }
        await listener.close()
    }

    private func curl(_ arguments: [String]) async throws -> String {
        try await Self.run(["curl", "-s", "--max-time", "60"] + arguments)
    }

    private func openssl(_ port: Int, _ authority: String) async throws -> String {
        try await Self.run(["openssl", "s_client", "-connect", "127.0.0.1:\(port)", "-CAfile", authority])
    }

    private static func run(_ arguments: [String]) async throws -> String {
        try await BlockingLane("tool", width: 1).run {
            let process = Process()
            process.executableURL = URL(filePath: "/usr/bin/env")
            process.arguments = arguments
            let output = Pipe()
            process.standardOutput = output
            process.standardError = output
            process.standardInput = FileHandle.nullDevice
            try process.run()
            let data = output.fileHandleForReading.readDataToEndOfFile()
            process.waitUntilExit()
            return String(decoding: data, as: UTF8.self)
        }
    }

    /// Sends bytes and returns what comes until the server closes.
    private func exchange(_ port: Int, _ bytes: [UInt8]) async throws -> String {
        let channel = try await ClientBootstrap(group: Self.group)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        return try await channel.executeThenClose { inbound, outbound in
            if !bytes.isEmpty { try? await outbound.write(ByteBuffer(bytes: bytes)) }
            var text = ""
            do {
                for try await piece in inbound { text += String(buffer: piece) }
            } catch {
                // A reset is an end too.
            }
            return text
        }
    }
}

/// A folder for PEM files.
private struct Folder {
    let path: String

    static func with(_ body: (Folder) async throws -> Void) async throws {
        let path = NSTemporaryDirectory() + "web-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: path) }
        try await body(Folder(path: path))
    }

    func pem(_ der: [UInt8]) throws -> String { try write([der], "CERTIFICATE") }

    func pair(_ svid: TestSVID) throws -> (String, String) {
        (try write(svid.chain, "CERTIFICATE"), try write([svid.pkcs8], "PRIVATE KEY"))
    }

    private func write(_ blocks: [[UInt8]], _ label: String) throws -> String {
        let text = blocks.map { block in
            "-----BEGIN \(label)-----\n" + Data(block).base64EncodedString(options: .lineLength64Characters)
                + "\n-----END \(label)-----\n"
        }.joined()
        let file = path + "/" + UUID().uuidString + ".pem"
        try text.write(toFile: file, atomically: true, encoding: .utf8)
        return file
    }
}
