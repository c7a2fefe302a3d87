// SPDX-License-Identifier: Apache-2.0

import Groundwork
import Testing
import Web

@Suite struct WebAddressTests {
    @Test("URLs are taken apart")
    func places() throws {
        let plain = try WebAddress("https://example.org/bundle?x=1#frag")
        #expect(plain.host == "example.org" && plain.port == 443 && plain.target == "/bundle?x=1")
        let port = try WebAddress("http://[::1]:8080")
        #expect(port.host == "::1" && port.port == 8080 && port.target == "/" && port.authority == "[::1]:8080")
        #expect(try port.following("/other").target == "/other")
        #expect(try plain.following("https://b.org/").host == "b.org")
        #expect(try WebAddress("https://user:secret@b.org/x").authority == "b.org")
    }

    @Test("URLs that would smuggle a second request are refused", arguments: [
        "https://example.org/a b", "https://example.org/\r\nX: y", "ftp://example.org", "example.org", "https://x:99999/",
    ])
    func hostile(_ url: String) {
        #expect(throws: SpireError(.webAddress, "")) { try WebAddress(url) }
    }
}
