// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Groundwork
import NIOPosix
import SPIFFE
import Testing

@testable import AgentCore

struct TrustBundleSourceTests {
    private let attempt = TrustBundleSource.Attempt(
        use: .bootstrap, start: Date(timeIntervalSince1970: 0), count: 2, serverAddress: "localhost", serverPort: 8081,
        trustDomain: domain)

    @Test("a source on a socket is told what the attempt is about; parameters of the same names are replaced")
    func query() {
        #expect(
            TrustBundleSource.describing(attempt, in: "http://x/b?a=1&spire-server-port=1")
                == "http://x/b?a=1&spiffe-trust-domain=example.org&spire-attest-mode=bootstrap"
                + "&spire-attest-start-time=1970-01-01T00%3A00%3A00Z&spire-connection-attempts=2"
                + "&spire-server-address=localhost&spire-server-port=8081")
    }

    @Test("a bundle without certificates is refused")
    func empty() {
        #expect(throws: SpireError(.bootstrapBundle, "")) {
            try TrustBundleSource.parse(Array("no certificates here".utf8), .pem, domain)
        }
        #expect(throws: SpireError(.bootstrapBundle, "")) {
            try TrustBundleSource.parse(Array(#"{"keys":[]}"#.utf8), .spiffe, domain)
        }
    }

    @Test("a damaged certificate block is refused", arguments: [
        "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n", "-----BEGIN CERTIFICATE-----\nAAAA\n",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ])
    func damaged(_ text: String) {
        #expect(throws: SpireError(.bootstrapBundle, "")) {
            try TrustBundleSource.parse(Array(text.utf8), .pem, domain)
        }
    }

    @Test("the authorities of an original agent's stored bundle are read as PEM")
    func pem() throws {
        guard let bytes = try Samples.read("issued/bundle.0.pem") else { return }
        #expect(try TrustBundleSource.parse(bytes, .pem, domain).count >= 1)
    }

    @Test("a missing bundle file is named")
    func missing() async throws {
        let source = TrustBundleSource.file(path: "/nonexistent/bundle.pem", format: .pem)
        await #expect(throws: SpireError(.bootstrapBundle, "")) {
            try await source.load(
                attempt, group: MultiThreadedEventLoopGroup.singleton, lane: BlockingLane("tests", width: 1))
        }
    }
}

struct HTTPGetPlaceTests {
    @Test("URLs are taken apart")
    func places() throws {
        let plain = try HTTPGet.Place("https://example.org/bundle?x=1#frag")
        #expect(plain.host == "example.org" && plain.port == 443 && plain.target == "/bundle?x=1")
        let port = try HTTPGet.Place("http://[::1]:8080")
        #expect(port.host == "::1" && port.port == 8080 && port.target == "/" && port.authority == "[::1]:8080")
        #expect(try port.following("/other").target == "/other")
        #expect(try plain.following("https://b.org/").host == "b.org")
    }

    @Test("URLs that would smuggle a second request are refused", arguments: [
        "https://example.org/a b", "https://example.org/\r\nX: y", "ftp://example.org", "example.org", "https://x:99999/",
    ])
    func hostile(_ url: String) {
        #expect(throws: SpireError.self) { try HTTPGet.Place(url) }
    }
}
