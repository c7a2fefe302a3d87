// SPDX-License-Identifier: Apache-2.0

import Groundwork
import NIOCore
import NIOPosix
import Testing
import Web

@Suite struct HTTPFetchTests {
    /// Serves for as long as `body` runs.
    func serving(_ handler: @escaping WebHandler, _ body: (Int) async throws -> Void) async throws {
        let listener = try await WebListener.bind(
            host: "127.0.0.1", port: 0, group: MultiThreadedEventLoopGroup.singleton, time: SystemTime(),
            handler: handler)
        do {
            try await body(try #require(listener.address.port))
        } catch {
            await listener.close()
            throw error
        }
        await listener.close()
    }

    var fetch: HTTPFetch {
        HTTPFetch(userAgent: "tests", group: MultiThreadedEventLoopGroup.singleton) { _, _ in }
    }

    @Test("a request reaches the server with its parts, and its answer the client")
    func roundTrip() async throws {
        try await serving { question in
            .text(201, "\(question.method) \(question.path) \(question.query ?? "") \(question.header("user-agent") ?? "")")
        } _: { port in
            let answer = try await fetch.get(WebAddress("http://127.0.0.1:\(port)/a/b?c=d"))
            #expect(answer.status == 201)
            #expect(String(decoding: answer.body, as: UTF8.self) == "GET /a/b c=d tests\n")
        }
    }

    @Test("redirects are followed, but not in circles")
    func redirects() async throws {
        try await serving { question in
            if question.path == "/end" { return .text(200, "here") }
            var reply = WebResponse.text(302, "")
            reply.headers.append(("Location", question.path == "/start" ? "/end" : "/circle"))
            return reply
        } _: { port in
            let found = try await fetch.get(WebAddress("http://127.0.0.1:\(port)/start"))
            #expect(found.body == Array("here\n".utf8))
            await #expect(throws: SpireError(.webExchange, "")) {
                _ = try await fetch.get(WebAddress("http://127.0.0.1:\(port)/circle"))
            }
        }
    }

    @Test("a body beyond the limit is not taken")
    func bodyLimit() async throws {
        var small = fetch
        small.maximumBody = 10
        try await serving { _ in .text(200, "more than ten bytes") } _: { port in
            await #expect(throws: SpireError(.webExchange, "")) {
                _ = try await small.get(WebAddress("http://127.0.0.1:\(port)/"))
            }
        }
    }
}
