// SPDX-License-Identifier: Apache-2.0

import APIProtos
import Crypto
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

@Suite struct WITServiceTests {
    static let agent = "spiffe://example.org/spire/agent/x/one"
    let p256: Data

    init() throws { p256 = Data(try LocalKey.generate(.ecP256).publicKey.spki) }

    private func service(_ fixture: Fixture, enabled: Bool = true) -> SVIDService {
        SVIDService(
            trustDomain: fixture.trustDomain, issuer: fixture.issuer, authorized: fixture.authorized,
            bundles: fixture.bundles, witEnabled: enabled, lanes: 1)
    }

    @Test("a token is minted for a workload ID and bound to the key of the request")
    func mint() async throws {
        let fixture = try await Fixture()
        let call = try fixture.call(SVIDMethods.mintWITSVID.path)
        let response = try await service(fixture).mintWIT(
            .with {
                $0.id = .init("example.org", "/web")
                $0.publicKey = p256
                $0.signingAlgorithm = "ES256"
                $0.ttl = 9
            }, call)
        #expect(response.svid.token == "a.b.c" && response.svid.id.path == "/web" && response.svid.hint.isEmpty)
        #expect(response.svid.expiresAt > response.svid.issuedAt)
        #expect(fixture.issuer.asked == [.init(id: "spiffe://example.org/web", ttl: 9, algorithm: "ES256")])
    }

    @Test("without the feature minting is not implemented, and a batch's items have no key to be signed with")
    func off() async throws {
        let fixture = try await Fixture()
        let refused = await status {
            _ = try await service(fixture, enabled: false).mintWIT(.init(), fixture.call(SVIDMethods.mintWITSVID.path))
        }
        #expect(refused == RPCStatus(.unimplemented, "WIT functionality is disabled"))
        #expect(fixture.issuer.asked.isEmpty)
        fixture.authorized.set([.made("/w", id: "e")])
        fixture.issuer.fail(SpireError(.unavailable, "WIT key is not available for signing"))
        let call = try fixture.call(SVIDMethods.batchNewWITSVID.path, as: .agent, id: Self.agent)
        let response = try await service(fixture, enabled: false).batchNewWIT(
            .with { $0.params = [.with { $0.entryID = "e"; $0.publicKey = p256; $0.signingAlgorithm = "ES256" }] }, call)
        #expect(response.results.map(\.status.code) == [13])
        #expect(response.results[0].status.message == "failed to sign WIT-SVID: WIT key is not available for signing")
        #expect(!response.results[0].hasSvid)
    }

    @Test("what will not do is refused with the reason", arguments: [
        ("id", "invalid SPIFFE ID: request must specify SPIFFE ID"),
        ("foreign", "invalid SPIFFE ID: \"spiffe://other.org/x\" is not a member of trust domain \"example.org\""),
        ("reserved", "invalid SPIFFE ID: \"spiffe://example.org/spire/x\" is not a workload"),
        ("none", "invalid public key: "), ("garbage", "invalid public key: "),
        (
            "algorithm",
            "invalid signing algorithm or key type: unsupported signing algorithm for ec-p256 key: RS256"
        ),
        ("unset", "invalid signing algorithm or key type: unsupported signing algorithm for ec-p256 key: "),
        ("ed25519", "invalid signing algorithm or key type: unsupported key type 'ed25519.PublicKey'"),
        ("weak", "invalid signing algorithm or key type: the key cannot be used with RS256"),
    ])
    func refusals(_ flaw: String, _ text: String) async throws {
        let fixture = try await Fixture()
        var request = Spire_Api_Server_Svid_V1_MintWITSVIDRequest()
        request.id = .init("example.org", "/web")
        request.publicKey = p256
        request.signingAlgorithm = "ES256"
        switch flaw {
        case "id": request.clearID()
        case "foreign": request.id = .init("other.org", "/x")
        case "reserved": request.id = .init("example.org", "/spire/x")
        case "none": request.publicKey = Data()
        case "garbage": request.publicKey = Data(repeating: 0x30, count: 9000)
        case "algorithm": request.signingAlgorithm = "RS256"
        case "unset": request.signingAlgorithm = ""
        case "ed25519":
            request.publicKey = Data([0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0])
                + Curve25519.Signing.PrivateKey().publicKey.rawRepresentation
        default:
            // RSA of 1,024 bits, which no JWS algorithm may be used with.
            request.publicKey = try #require(
                Data(
                    base64Encoded: "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQC49D8o/EDmBJiZ8gVmArCFUUHPrPI7qOA868iUSSNWWb9L"
                        + "F5CwkfP84X01+is5N+OdSczUcA7Fd43VoB/ustKCPshHNRZzOKk2CGQuz5is+iqh48MV0N4AzlMTgWIMnIZ6"
                        + "vsPkoGTTFHNHqvC0stRZuB1flvOaClgrQd5UzsCVvwIDAQAB"))
            request.signingAlgorithm = "RS256"
        }
        let sent = request
        let refused = await status {
            _ = try await service(fixture).mintWIT(sent, fixture.call(SVIDMethods.mintWITSVID.path))
        }
        #expect(refused?.code == .invalidArgument)
        #expect(refused?.message.hasPrefix(text) == true, "\(refused?.message ?? "")")
        #expect(fixture.issuer.asked.isEmpty)
    }

    @Test("items of a batch that cannot be signed say why; those that are signed carry no status")
    func batch() async throws {
        let fixture = try await Fixture()
        var bad = RegistrationEntry.made("/bad", id: "bad")
        bad.spiffeID = "bad"
        fixture.authorized.set([.made("/w", id: "e") { $0.x509SVIDTTL = 60 }, bad])
        let call = try fixture.call(SVIDMethods.batchNewWITSVID.path, as: .agent, id: Self.agent)
        let response = try await service(fixture).batchNewWIT(
            .with {
                $0.params = [
                    .with { $0.publicKey = p256 }, .with { $0.entryID = "e" },
                    .with { $0.entryID = "other"; $0.publicKey = p256 },
                    .with { $0.entryID = "e"; $0.publicKey = Data([1]) },
                    .with { $0.entryID = "e"; $0.publicKey = p256; $0.signingAlgorithm = "ES384" },
                    .with { $0.entryID = "bad"; $0.publicKey = p256; $0.signingAlgorithm = "ES256" },
                    .with { $0.entryID = "e"; $0.publicKey = p256; $0.signingAlgorithm = "ES256" },
                ]
            }, call)
        #expect(response.results.map(\.status.code) == [3, 3, 5, 3, 3, 13, 0])
        let texts = response.results.map(\.status.message)
        #expect(texts[0] == "missing entry ID")
        #expect(texts[1] == "missing public key")
        #expect(texts[2] == "entry not found or not authorized")
        #expect(texts[3].hasPrefix("malformed public key: "))
        #expect(texts[4] == "invalid signing algorithm or key type: unsupported signing algorithm for ec-p256 key: ES384")
        #expect(texts[5] == "entry has malformed SPIFFE ID")
        #expect(!response.results[6].hasStatus && response.results[6].svid.id.path == "/w")
        #expect(fixture.issuer.asked == [.init(id: "spiffe://example.org/w", ttl: 60, algorithm: "ES256")])
        let empty = await status { _ = try await service(fixture).batchNewWIT(.init(), call) }
        #expect(empty == RPCStatus(.invalidArgument, "missing parameters"))
    }

    @Test("a batch costs as many tokens as it has items")
    func rate() async throws {
        let fixture = try await Fixture()
        let call = try fixture.call(
            SVIDMethods.batchNewWITSVID.path, as: .agent, id: Self.agent, address: "192.0.2.1:1")
        let refused = await status {
            _ = try await service(fixture).batchNewWIT(
                .with { $0.params = Array(repeating: .init(), count: 501) }, call)
        }
        #expect(
            refused
                == RPCStatus(
                    .resourceExhausted,
                    "rejecting request due to certificate signing rate limiting: rate (501) exceeds burst size (500)"))
    }
}
