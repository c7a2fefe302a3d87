// SPDX-License-Identifier: Apache-2.0

import Datastore
import FoundationEssentials
import Groundwork
import Issuance
import SPIFFE
import TestKit
import Testing

@testable import Authority

@Suite struct IssuingTests {
    private func leaf(_ svid: IssuedX509SVID) throws -> CertificateSummary { try CertificateSummary(svid.chain[0]) }

    @Test("lifetimes come from the entry, else from the configuration, and never outlast the authority")
    func lifetimes() async throws {
        var world = try World()
        world.settings.agentTTL = .seconds(7200)
        world.settings.defaultX509SVIDTTL = .seconds(1800)
        let server = try await world.started()
        let key = try LocalKey.generate(.ecP256).publicKey
        let id = try SPIFFEID("spiffe://example.org/web")
        let now = Int64(world.clock.now.timeIntervalSince1970)
        func workload(_ ttl: Int32) async throws -> Int64 {
            let svid = try await server.workloadX509SVID(id: id, publicKey: key, dnsNames: [], ttl: ttl, subject: nil)
            #expect(try Int64(svid.expiresAt.timeIntervalSince1970) == leaf(svid).notAfter)
            #expect(try svid.serialNumber == leaf(svid).serialNumber)
            #expect(try leaf(svid).notBefore == now - 10)
            return try leaf(svid).notAfter - now
        }
        #expect(try await workload(0) == 1800)
        #expect(try await workload(60) == 60)
        #expect(try await workload(.max) == 86_400)
        #expect(try await leaf(server.agentX509SVID(id: id, publicKey: key)).notAfter - now == 7200)
        let own = try await server.serverX509SVID(publicKey: key)
        #expect(own.id.description == "spiffe://example.org/spire/server")
        #expect(try leaf(own).notAfter - now == 1800)
    }

    @Test("the subject is the request's known attributes, its common name the first DNS name")
    func subjects() async throws {
        let world = try World()
        let server = try await world.started()
        let key = try LocalKey.generate(.ecP256).publicKey
        let id = try SPIFFEID("spiffe://example.org/web")
        func subject(_ given: [UInt8]?, _ dnsNames: [String] = []) async throws -> String {
            let svid = try await server.workloadX509SVID(
                id: id, publicKey: key, dnsNames: dnsNames, ttl: 0, subject: given)
            return try DistinguishedName(der: leaf(svid).subject).description
        }
        #expect(try await subject(nil) == "O=SPIRE,C=US")
        #expect(try await subject([0x30, 0]) == "O=SPIRE,C=US")
        #expect(try await subject(nil, ["a.example", "b.example"]) == "CN=a.example,O=SPIRE,C=US")
        let own = DistinguishedName(country: ["DE"], organization: ["Acme"], commonName: "x")
        #expect(try await subject(own.der) == "CN=x,O=Acme,C=DE")
        #expect(try await subject(own.der, ["a.example"]) == "CN=a.example,O=Acme,C=DE")
        await #expect(throws: SpireError(.nameMalformed, "")) { try await subject([1, 2]) }
    }

    @Test("nothing is signed for another trust domain")
    func foreign() async throws {
        let world = try World()
        let server = try await world.started()
        let key = try LocalKey.generate(.ecP256).publicKey
        let id = try SPIFFEID("spiffe://other.org/web")
        await #expect(throws: SpireError(.issuanceRefused, "")) {
            try await server.workloadX509SVID(id: id, publicKey: key, dnsNames: [], ttl: 0, subject: nil)
        }
        await #expect(throws: SpireError(.issuanceRefused, "")) {
            try await server.jwtSVID(id: id, audience: ["a"], ttl: 0, includeJTI: false)
        }
    }

    @Test("tokens end with their key, and carry issuer and ID only when asked")
    func tokens() async throws {
        var world = try World()
        world.settings.jwtIssuer = "https://issuer.example"
        let server = try await world.started()
        let id = try SPIFFEID("spiffe://example.org/web")
        let now = Int64(world.clock.now.timeIntervalSince1970)
        func expiry(_ ttl: Int32) async throws -> Int64 {
            let svid = try await server.jwtSVID(id: id, audience: ["a"], ttl: ttl, includeJTI: false)
            return Int64(svid.expiresAt.timeIntervalSince1970) - now
        }
        #expect(try await expiry(0) == 300)
        #expect(try await expiry(60) == 60)
        #expect(try await expiry(.max) == 86_400)
        let plain = try await server.jwtSVID(id: id, audience: ["a"], ttl: 0, includeJTI: false)
        let named = try await server.jwtSVID(id: id, audience: ["a"], ttl: 0, includeJTI: true)
        func payload(_ token: String) -> String {
            var text = String(token.split(separator: ".")[1]).replacing("-", with: "+").replacing("_", with: "/")
            text += String(repeating: "=", count: (4 - text.count % 4) % 4)
            return String(decoding: Data(base64Encoded: text) ?? Data(), as: UTF8.self)
        }
        #expect(payload(plain.token).contains(#""iss":"https://issuer.example""#))
        #expect(!payload(plain.token).contains("jti"))
        #expect(payload(named.token).contains(#""jti":""#))
    }

    @Test("a downstream authority goes with its chain and is capped by its parent")
    func downstream() async throws {
        let world = try World()
        let server = try await world.started()
        let chain = try await server.downstreamX509CA(publicKey: LocalKey.generate(.ecP384).publicKey, ttl: 0)
        #expect(chain.count == 1)
        let certificate = try CertificateSummary(chain[0])
        #expect(certificate.isCA == true)
        let root = try CertificateSummary(try await world.bundle.x509Authorities[0].der)
        #expect(certificate.notAfter == root.notAfter)
        #expect(certificate.authorityKeyID == root.subjectKeyID)
    }

    @Test("authorities have the configured key types, subject and lifetime", arguments: [KeyType.ecP384, .rsa2048])
    func settings(_ type: KeyType) async throws {
        var world = try World()
        world.settings.caKeyType = type
        world.settings.jwtKeyType = type
        world.settings.caTTL = .seconds(600)
        world.settings.caSubject = DistinguishedName(country: ["DE"], organization: ["Acme"], commonName: "Root")
        let server = try await world.started()
        try await world.checkSigning(server)
        let root = try CertificateSummary(try await world.bundle.x509Authorities[0].der)
        let subject = try DistinguishedName(der: root.subject)
        #expect(subject.description == "SERIALNUMBER=\(root.serialNumber),CN=Root,O=Acme,C=DE")
        #expect(root.notAfter - root.notBefore == 610)
        #expect(try PublicKeyInfo(spki: root.spki).type == type)
    }

    @Test("many tasks sign at once while authorities rotate")
    func parallel() async throws {
        let world = try World()
        let server = try await world.started()
        let key = try LocalKey.generate(.ecP256).publicKey
        let id = try SPIFFEID("spiffe://example.org/web")
        let serials = try await withThrowingTaskGroup(of: [String].self) { group in
            for _ in 0..<8 {
                group.addTask {
                    var serials: [String] = []
                    for _ in 0..<50 {
                        serials.append(
                            try await server.workloadX509SVID(
                                id: id, publicKey: key, dnsNames: [], ttl: 60, subject: nil
                            ).serialNumber)
                    }
                    return serials
                }
            }
            group.addTask {
                for _ in 0..<5 {
                    let next = try await server.prepareAuthority(.x509)
                    _ = try await server.activateAuthority(.x509, id: next.authorityID)
                }
                return []
            }
            return try await group.reduce(into: [String]()) { $0 += $1 }
        }
        #expect(Set(serials).count == 400)
    }

    @Test("every code has a name of its own")
    func codes() {
        #expect(Set(AuthorityCodes.all.map(\.name)).count == AuthorityCodes.all.count)
    }
}
