// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Groundwork
import NIOPosix
import SPIFFE
import TestKit
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

    @Test("a damaged certificate block is refused, and what is damaged is said", arguments: [
        (
            "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n",
            "certificates are not valid PEM: block 1 is not base64 in line 2"
        ),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n", "certificates are not valid PEM: block 1 (line 1) has no -----END line"),
        (
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "malformed certificate: its fields are not those of an X.509 certificate"
        ),
    ])
    func damaged(text: String, words: String) {
        let error = #expect(throws: SpireError.self) {
            try TrustBundleSource.parse(Array(text.utf8), .pem, domain)
        }
        #expect(error?.code == .bootstrapBundle && error?.message == "error parsing trust bundle: " + words)
    }

    @Test("what is not PEM is passed over, and so are blocks of other kinds; of several certificates the damaged one is told")
    func mixed() async throws {
        let der = try await TestCA.root().root
        let block = PEMBlock("CERTIFICATE", der).text
        let key = PEMBlock("PUBLIC KEY", [1, 2, 3]).text
        let latin = Array("# Gültig für alle\n".unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) })
        let text = latin + Array((block + "-----BEGINNING OF MORE-----\nsubject=CN: x\n" + key + block).utf8)
        #expect(try TrustBundleSource.parse(text, .pem, domain) == [der, der])
        let broken = Array((block + PEMBlock("CERTIFICATE", [0x30, 0]).text).utf8)
        let error = #expect(throws: SpireError.self) { try TrustBundleSource.parse(broken, .pem, domain) }
        #expect(error?.message.hasPrefix("error parsing trust bundle: PEM block 2: malformed certificate: ") == true)
        // A root that is cut off is not left out in silence.
        let cut = #expect(throws: SpireError.self) { try TrustBundleSource.parse(Array((block + block.dropLast(40)).utf8), .pem, domain) }
        #expect(cut?.message.contains("block 2 (line ") == true && cut?.message.hasSuffix(" has no -----END line") == true)
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

struct ProxySettingsTests {
    private func proxy(_ url: String, _ https: String, _ no: String = "") throws -> ProxySettings.Proxy? {
        try ProxySettings { ["HTTPS_PROXY": https, "NO_PROXY": no][$0] }.proxy(for: HTTPGet.Place(url))
    }

    @Test("a proxy is asked for https hosts that are not this machine's", arguments: [
        ("https://example.org/b", true), ("http://example.org/b", false), ("https://localhost/b", false),
        ("https://127.0.0.9:8443/b", false), ("https://[::1]/b", false), ("https://10.0.0.1/", true),
    ])
    func scope(_ url: String, _ asked: Bool) throws {
        #expect((try proxy(url, "http://proxy:3128") != nil) == asked)
        #expect(try proxy(url, "") == nil)
    }

    @Test("the proxy's address and user are read", arguments: [
        ("http://proxy.example.org:3128", "proxy.example.org", 3128, nil), ("proxy", "proxy", 80, nil),
        ("http://u:p%40ss@[::1]:8080/", "::1", 8080, "Basic dTpwQHNz"), ("http://u@proxy", "proxy", 80, "Basic dTo="),
    ])
    func addresses(_ text: String, _ host: String, _ port: Int, _ authorization: String?) throws {
        let found = try #require(try proxy("https://example.org", text))
        #expect(found == ProxySettings.Proxy(host: host, port: port, authorization: authorization))
    }

    @Test("exceptions are names with all below them, addresses, networks and ports", arguments: [
        ("example.org", true), (".example.org", true), ("*.example.org", true), ("a.example.org:443", true),
        ("a.example.org:8443", false), ("xample.org", false), ("other.org, EXAMPLE.org", true), ("*", true), ("", false),
    ])
    func exceptions(_ no: String, _ direct: Bool) throws {
        #expect((try proxy("https://a.example.org/", "proxy", no) == nil) == direct)
    }

    @Test("exceptions of addresses", arguments: [
        ("10.1.2.3", true), ("10.0.0.0/8", true), ("10.1.3.0/24", false), ("10.1.2.3:8443", false), ("::ffff:10.1.2.3", true),
    ])
    func addressExceptions(_ no: String, _ direct: Bool) throws {
        #expect((try proxy("https://10.1.2.3/", "proxy", no) == nil) == direct)
    }

    @Test("a proxy of another kind is refused, and no password is repeated", arguments: [
        "socks5://proxy:1080", "https://u:hunter2@proxy", "http://u:hunter2@proxy:port",
    ])
    func unsupported(_ text: String) throws {
        do {
            _ = try proxy("https://example.org/", text)
            Issue.record("accepted")
        } catch {
            #expect("\(error)".contains("HTTPS_PROXY") && !"\(error)".contains("hunter2"))
        }
    }

    @Test("the lower-case spelling counts too")
    func lowerCase() throws {
        let settings = ProxySettings { ["https_proxy": "proxy:1", "no_proxy": "b.org"][$0] }
        #expect(try settings.proxy(for: HTTPGet.Place("https://a.org/"))?.port == 1)
        #expect(try settings.proxy(for: HTTPGet.Place("https://b.org/")) == nil)
    }
}
