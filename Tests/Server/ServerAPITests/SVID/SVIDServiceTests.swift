// SPDX-License-Identifier: Apache-2.0

import APIProtos
import Datastore
import FoundationEssentials
import Groundwork
import Issuance
import RPC
import SPIFFE
@testable import ServerAPI
import SwiftProtobuf
import TestKit
import Testing

@Suite struct SVIDServiceTests {
    static let agent = "spiffe://example.org/spire/agent/x/one"

    func csr(_ uri: String? = "spiffe://example.org/minted", dns: [String] = []) throws -> Data {
        Data(try CSR.make(key: LocalKey.generate(.ecP256), uri: uri.map { try SPIFFEID($0) }, dnsNames: dns))
    }

    @Test("minting takes identity, names and lifetime from the request")
    func mintX509() async throws {
        let fixture = try await Fixture()
        let call = try fixture.call(SVIDMethods.mintX509SVID.path)
        let csr = try csr(dns: ["a.example.org"])
        let response = try await fixture.svids.mintX509(.with { $0.csr = csr; $0.ttl = 60 }, call)
        #expect(response.svid.id.path == "/minted")
        let subject = try CSR.parse([UInt8](csr)).subject
        #expect(
            fixture.issuer.asked == [
                .init(id: "spiffe://example.org/minted", ttl: 60, dnsNames: ["a.example.org"], subject: subject)
            ])
    }

    @Test(
        "a CSR that will not do is refused with the reason",
        arguments: [
            ("none", "missing CSR"), ("garbage", "malformed CSR: "), ("signature", "failed to verify CSR signature: "),
            ("uri", "CSR URI SAN is required"), ("foreign", "CSR URI SAN is invalid: \"spiffe://other.org/x\" is not"),
            ("reserved", "CSR URI SAN is invalid: \"spiffe://example.org/spire/x\" is not a workload"),
            ("dns", "CSR DNS name is invalid: "),
            ("overlap", "CSR DNS name contains a wildcard that covers another non-wildcard name: wildcard overlap"),
        ])
    func badCSR(_ flaw: String, _ text: String) async throws {
        let fixture = try await Fixture()
        var bytes: Data
        switch flaw {
        case "none": bytes = Data()
        case "garbage": bytes = Data([0x30, 1])
        case "signature":
            bytes = try csr()
            bytes[bytes.count - 1] ^= 1
        case "uri": bytes = try csr(nil)
        case "foreign": bytes = try csr("spiffe://other.org/x")
        case "reserved": bytes = try csr("spiffe://example.org/spire/x")
        case "dns": bytes = try csr(dns: ["a@b"])
        default: bytes = try csr(dns: ["*.a.org", "b.a.org"])
        }
        let sent = bytes
        let refused = await status {
            _ = try await fixture.svids.mintX509(.with { $0.csr = sent }, try fixture.call(SVIDMethods.mintX509SVID.path))
        }
        #expect(refused?.code == .invalidArgument)
        #expect(refused?.message.hasPrefix(text) == true, "\(refused?.message ?? "")")
    }

    @Test("a token is minted without a jti, for a workload ID and an audience")
    func mintJWT() async throws {
        let fixture = try await Fixture()
        let call = try fixture.call(SVIDMethods.mintJWTSVID.path)
        let response = try await fixture.svids.mintJWT(
            .with {
                $0.id = .init("example.org", "/web")
                $0.audience = ["a", "b"]
                $0.ttl = 9
            }, call)
        #expect(response.svid.token == "a.b.c")
        #expect(fixture.issuer.asked == [.init(id: "spiffe://example.org/web", ttl: 9, audience: ["a", "b"])])
        let noAudience = await status {
            _ = try await fixture.svids.mintJWT(.with { $0.id = .init("example.org", "/web") }, call)
        }
        #expect(noAudience == RPCStatus(.invalidArgument, "at least one audience is required"))
        let noID = await status { _ = try await fixture.svids.mintJWT(.with { $0.audience = ["a"] }, call) }
        #expect(noID == RPCStatus(.invalidArgument, "invalid SPIFFE ID: request must specify SPIFFE ID"))
    }

    @Test("a batch is answered in order, item by item, whatever its size")
    func batch() async throws {
        let fixture = try await Fixture()
        let entries = (0..<25).map { number in
            RegistrationEntry.made("/w\(number)", id: "e\(number)") {
                $0.x509SVIDTTL = 60
                $0.dnsNames = ["w\(number).example.org"]
            }
        }
        fixture.authorized.set(entries)
        let call = try fixture.call(SVIDMethods.batchNewX509SVID.path, as: .agent, id: Self.agent)
        let csr = try csr(nil)
        let response = try await fixture.svids.batchNewX509(
            .with {
                $0.params = entries.map { entry in .with { $0.entryID = entry.id; $0.csr = csr } }
            }, call)
        #expect(response.results.map(\.svid.id.path) == (0..<25).map { "/w\($0)" })
        #expect(response.results.allSatisfy { $0.status.code == 0 && $0.status.message == "OK" })
        #expect(fixture.issuer.asked.allSatisfy { $0.ttl == 60 && $0.dnsNames.count == 1 })
    }

    @Test("items of a batch that cannot be signed say why, and the others are signed")
    func batchRefusals() async throws {
        let fixture = try await Fixture()
        var bad = RegistrationEntry.made("/bad", id: "bad")
        bad.spiffeID = "bad"
        fixture.authorized.set([.made("/w", id: "e"), bad])
        let call = try fixture.call(SVIDMethods.batchNewX509SVID.path, as: .agent, id: Self.agent)
        let good = try csr(nil)
        var forged = good
        forged[forged.count - 1] ^= 1
        let wrong = forged
        let response = try await fixture.svids.batchNewX509(
            .with {
                $0.params = [
                    .with { $0.csr = good }, .with { $0.entryID = "e" },
                    .with { $0.entryID = "other"; $0.csr = good }, .with { $0.entryID = "e"; $0.csr = Data([1]) },
                    .with { $0.entryID = "e"; $0.csr = wrong }, .with { $0.entryID = "bad"; $0.csr = good },
                    .with { $0.entryID = "e"; $0.csr = good },
                ]
            }, call)
        #expect(response.results.map(\.status.code) == [3, 3, 5, 3, 3, 13, 0])
        let texts = response.results.map(\.status.message)
        #expect(texts[0] == "missing entry ID")
        #expect(texts[1] == "missing CSR")
        #expect(texts[2] == "entry not found or not authorized")
        #expect(texts[3].hasPrefix("malformed CSR: "))
        #expect(texts[4].hasPrefix("invalid CSR signature: "))
        #expect(texts[5] == "entry has malformed SPIFFE ID")
        let empty = await status { _ = try await fixture.svids.batchNewX509(.init(), call) }
        #expect(empty == RPCStatus(.invalidArgument, "missing parameters"))
    }

    @Test("a batch costs as many tokens as it has items: more than the bucket holds never pass")
    func batchRate() async throws {
        let fixture = try await Fixture()
        let call = try fixture.call(
            SVIDMethods.batchNewX509SVID.path, as: .agent, id: Self.agent, address: "192.0.2.1:1")
        let refused = await status {
            _ = try await fixture.svids.batchNewX509(
                .with { $0.params = Array(repeating: .init(), count: 501) }, call)
        }
        #expect(
            refused
                == RPCStatus(
                    .resourceExhausted,
                    "rejecting request due to certificate signing rate limiting: rate (501) exceeds burst size (500)"))
    }

    @Test("a token of an entry has its lifetime, and a jti when the entry wants one")
    func newJWT() async throws {
        let fixture = try await Fixture()
        fixture.authorized.set([
            .made("/w", id: "e") {
                $0.jwtSVIDTTL = 30
                $0.additionalAttributes = .init(jwtSVIDIncludeJTI: true)
            }
        ])
        let call = try fixture.call(SVIDMethods.newJWTSVID.path, as: .agent, id: Self.agent)
        _ = try await fixture.svids.newJWT(.with { $0.entryID = "e"; $0.audience = ["a"] }, call)
        #expect(fixture.issuer.asked == [.init(id: "spiffe://example.org/w", ttl: 30, audience: ["a"], jti: true)])
        let foreign = await status {
            _ = try await fixture.svids.newJWT(.with { $0.entryID = "x"; $0.audience = ["a"] }, call)
        }
        #expect(foreign == RPCStatus(.notFound, "entry not found or not authorized"))
    }

    @Test("with the JWT profile off, tokens are unimplemented")
    func jwtOff() async throws {
        let fixture = try await Fixture()
        let service = SVIDService(
            trustDomain: fixture.trustDomain, issuer: fixture.issuer, authorized: fixture.authorized,
            bundles: fixture.bundles, jwtEnabled: false, lanes: 1)
        let refused = await status {
            _ = try await service.mintJWT(.init(), try fixture.call(SVIDMethods.mintJWTSVID.path))
        }
        #expect(refused == RPCStatus(.unimplemented, "JWT functionality is disabled"))
    }

    @Test("a downstream server gets its authority's chain and all roots")
    func downstream() async throws {
        let fixture = try await Fixture()
        let call = try fixture.call(
            SVIDMethods.newDownstreamX509CA.path, as: .downstream, id: "spiffe://example.org/below",
            downstream: [.made("/below")])
        let csr = try csr("spiffe://example.org")
        let none = await status { _ = try await fixture.svids.newDownstreamCA(.with { $0.csr = csr }, call) }
        #expect(none == RPCStatus(.notFound, "bundle not found"))
        var bundle = TrustBundle(trustDomainID: "spiffe://example.org")
        bundle.x509Authorities = [
            .init(der: try TestCertificate.leaf(serial: 1, validUntil: fixture.time.now.addingTimeInterval(99)).der)
        ]
        _ = try await fixture.watched.setBundle(bundle)
        let response = try await fixture.svids.newDownstreamCA(.with { $0.csr = csr; $0.preferredTtl = 99 }, call)
        #expect(response.caCertChain == [Data([4]), Data([5])])
        #expect(response.x509Authorities.count == 1)
        let other = await status {
            _ = try await fixture.svids.newDownstreamCA(
                .with { $0.csr = csr }, try fixture.call(SVIDMethods.newDownstreamX509CA.path, as: .downstream))
        }
        #expect(other == RPCStatus(.internal, "caller is not a downstream workload"))
    }
}
