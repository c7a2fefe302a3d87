// SPDX-License-Identifier: Apache-2.0

import SPIFFE
import Testing

@testable import SPIFFEWorkloadAPI

@Suite struct EndpointTests {
    @Test(
        "addresses the standard allows",
        arguments: [
            ("unix:///run/spire/api.sock", WorkloadAPIEndpoint.unix(path: "/run/spire/api.sock")),
            ("unix:/run/api.sock", .unix(path: "/run/api.sock")),
            ("UNIX:///a", .unix(path: "/a")),
            ("unix:///a%20b/c:d@e", .unix(path: "/a b/c:d@e")),
            ("tcp://127.0.0.1:8000", .tcp(address: "127.0.0.1", port: 8000)),
            ("tcp://[::1]:8000", .tcp(address: "::1", port: 8000)),
            ("tcp://[fe80::1:2]:1", .tcp(address: "fe80::1:2", port: 1)),
            ("tcp://[::ffff:1.2.3.4]:1", .tcp(address: "::ffff:1.2.3.4", port: 1)),
        ])
    func accepted(text: String, endpoint: WorkloadAPIEndpoint) throws {
        #expect(try WorkloadAPIEndpoint(text) == endpoint)
        #expect(try WorkloadAPIEndpoint(endpoint.description.replacing(" ", with: "%20")) == endpoint)
    }

    @Test(
        "addresses it does not",
        arguments: [
            ("", "is not a valid URI"), ("/run/api.sock", "is not a valid URI"), ("unix:///a b", "is not a valid URI"),
            (":///a", "is not a valid URI"),
            ("http://127.0.0.1:80", "must have a \"tcp\" or \"unix\" scheme"),
            ("unix:run/api.sock", "unix socket URI must not be opaque"),
            ("unix://", "unix socket URI must include a path"), ("unix:///", "unix socket URI must include a path"),
            ("unix:", "unix socket URI must include a path"),
            ("unix:///a%00b", "unix socket URI must include a path"), ("unix:///a%zz", "unix socket URI must include a path"),
            ("unix://host/a", "unix socket URI must not include a host"),
            ("unix://u@/a", "unix socket URI must not include user info"),
            ("unix:///a?b", "unix socket URI must not include query values"),
            ("unix:///a#b", "unix socket URI must not include a fragment"),
            ("tcp:127.0.0.1", "tcp socket URI must not be opaque"),
            ("tcp://", "tcp socket URI must include a host"), ("tcp:///", "tcp socket URI must include a host"),
            ("tcp://u:p@1.2.3.4:1", "tcp socket URI must not include user info"),
            ("tcp://1.2.3.4:1/", "tcp socket URI must not include a path"),
            ("tcp://1.2.3.4:1?a", "tcp socket URI must not include query values"),
            ("tcp://1.2.3.4:1#a", "tcp socket URI must not include a fragment"),
            ("tcp://localhost:1", "host component must be an IP:port"),
            ("tcp://1.2.3:1", "host component must be an IP:port"), ("tcp://1.2.3.256:1", "host component must be an IP:port"),
            ("tcp://01.2.3.4:1", "host component must be an IP:port"), ("tcp://::1:80", "host component must be an IP:port"),
            ("tcp://[1.2.3.4]:80", "host component must be an IP:port"), ("tcp://[::1:80", "host component must be an IP:port"),
            ("tcp://[1::2::3]:80", "host component must be an IP:port"), ("tcp://[12345::]:80", "host component must be an IP:port"),
            ("tcp://1.2.3.4", "host component must include a port"), ("tcp://1.2.3.4:", "host component must include a port"),
            ("tcp://1.2.3.4:0", "host component must include a port"), ("tcp://1.2.3.4:65536", "host component must include a port"),
            ("tcp://[::1]", "host component must include a port"),
        ])
    func refused(text: String, reason: String) {
        do {
            let endpoint = try WorkloadAPIEndpoint(text)
            Issue.record("\(text) became \(endpoint)")
        } catch {
            #expect(error.code == .invalidEndpoint)
            #expect(error.message.hasSuffix(reason), "\(error)")
        }
    }

    @Test("the environment names the endpoint when the program does not")
    func environment() throws {
        #expect(try WorkloadAPIEndpoint.fromEnvironment(["SPIFFE_ENDPOINT_SOCKET": "unix:///a"]) == .unix(path: "/a"))
        #expect(throws: SPIFFEError(.invalidEndpoint, "")) { try WorkloadAPIEndpoint.fromEnvironment([:]) }
        #expect(throws: SPIFFEError(.invalidEndpoint, "")) {
            try WorkloadAPIEndpoint.fromEnvironment(["SPIFFE_ENDPOINT_SOCKET": ""])
        }
    }
}
