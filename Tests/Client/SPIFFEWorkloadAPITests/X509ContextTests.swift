// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import SPIFFE
import SPIFFETesting
import Testing
import WorkloadProtos

@testable import SPIFFEWorkloadAPI

@Suite struct X509ContextTests {
    let ca: ThrowawayCA

    init() throws { ca = try ThrowawayCA(try TrustDomain("example.org")) }

    func message(_ path: String, hint: String = "") throws -> Workload_X509SVID {
        let svid = try ca.x509SVID(path)
        var message = Workload_X509SVID()
        message.spiffeID = svid.id.description
        message.x509Svid = Data(svid.chain.flatMap(\.der))
        message.x509SvidKey = Data(svid.privateKey.pkcs8)
        message.bundle = Data(ca.bundle.x509Bundle.der)
        message.hint = hint
        return message
    }

    func response(_ svids: [Workload_X509SVID]) -> Workload_X509SVIDResponse {
        var response = Workload_X509SVIDResponse()
        response.svids = svids
        return response
    }

    @Test("identities keep their order, and of equal hints the first counts")
    func hints() throws {
        let context = try X509Context(
            response([
                message("/a"), message("/b", hint: "x"), message("/c", hint: "x"), message("/d"), message("/e", hint: "y"),
            ]))
        #expect(context.svids.map(\.id.path) == ["/a", "/b", "/d", "/e"])
        #expect(context.defaultSVID.id.path == "/a")
        #expect(context.svid(hint: "x")?.id.path == "/b")
        #expect(context.svid(hint: "z") == nil)
    }

    @Test("federated bundles are kept by trust domain")
    func federated() throws {
        let other = try ThrowawayCA(try TrustDomain("other.org"))
        var answer = response([try message("/a")])
        answer.federatedBundles = ["spiffe://other.org": Data(other.bundle.x509Bundle.der)]
        let context = try X509Context(answer)
        #expect(try context.bundles.x509Bundle(for: other.trustDomain) == other.bundle.x509Bundle)
        #expect(try context.bundles.x509Bundle(for: ca.trustDomain) == ca.bundle.x509Bundle)
        answer.federatedBundles = ["not a trust domain": Data()]
        #expect(throws: SPIFFEError(.invalidID, "")) { try X509Context(answer) }
    }

    @Test("a message that lacks something is refused whole")
    func incomplete() throws {
        #expect(throws: SPIFFEError(.workloadAPI, "")) { try X509Context(response([])) }
        for strip: (inout Workload_X509SVID) -> Void in [
            { $0.x509Svid = Data() }, { $0.x509SvidKey = Data() }, { $0.bundle = Data() },
            { $0.spiffeID = "spiffe://example.org/other" }, { $0.x509Svid.removeLast() }, { $0.bundle.append(0x30) },
            { $0.x509SvidKey = Data(PrivateKey.generate().pkcs8) },
        ] {
            var broken = try message("/b")
            strip(&broken)
            #expect(throws: SPIFFEError.self) { try X509Context(response([try message("/a"), broken])) }
        }
    }
}
