// SPDX-License-Identifier: Apache-2.0

import APIProtos
import Datastore
import FoundationEssentials
import Groundwork
import Issuance
import PluginAPI
import RPC
import SPIFFE
import SQLDatastore
@testable import ServerAPI
import SwiftProtobuf
import TestKit
import Testing

@Suite struct AttestTests {
    typealias Request = Spire_Api_Server_Agent_V1_AttestAgentRequest
    typealias Response = Spire_Api_Server_Agent_V1_AttestAgentResponse

    func csr() throws -> Data {
        Data(try CSR.make(key: LocalKey.generate(.ecP256), uri: nil, dnsNames: []))
    }

    func params(_ type: String = "join_token", _ payload: String = "abc", csr: Data? = nil) throws -> Request {
        let csr = try csr ?? self.csr()
        return .with {
            $0.params.data.type = type
            $0.params.data.payload = Data(payload.utf8)
            $0.params.params.csr = csr
        }
    }

    @discardableResult
    func attest(_ fixture: Fixture, _ service: AgentService, _ requests: [Request]) async throws -> [Response] {
        let responses = RecordedResponses()
        try await service.attest(
            RequestStream(raw: try ScriptedRequests(requests)), ResponseWriter(raw: responses),
            try fixture.call(AgentMethods.attestAgent.path, as: .nobody, address: "192.0.2.1:5"))
        return try responses.decoded()
    }

    @Test("a join token buys one identity, and only one")
    func joinToken() async throws {
        let fixture = try await Fixture()
        try await fixture.store.createJoinToken(
            JoinToken(token: "abc", expiry: Int64(fixture.time.now.timeIntervalSince1970) + 60))
        let responses = try await attest(fixture, fixture.agents(), [try params()])
        let result = try #require(responses.first?.result)
        #expect(result.svid.id.path == "/spire/agent/join_token/abc")
        #expect(result.svid.certChain == [Data([1, 2, 3])])
        #expect(!result.reattestable)
        let node = try #require(
            try await fixture.store.node(id: "spiffe://example.org/spire/agent/join_token/abc"))
        #expect(node.attestationType == "join_token")
        #expect(node.serialNumber == "101")
        #expect(node.expiresAt == result.svid.expiresAt)

        let again = await status { try await attest(fixture, fixture.agents(), [try params()]) }
        #expect(
            again
                == RPCStatus(.invalidArgument, "failed to attest: join token does not exist or has already been used"))
    }

    @Test("a late token is refused, and spent by it")
    func expiredToken() async throws {
        let fixture = try await Fixture()
        try await fixture.store.createJoinToken(
            JoinToken(token: "abc", expiry: Int64(fixture.time.now.timeIntervalSince1970) - 1))
        let late = await status { try await attest(fixture, fixture.agents(), [try params()]) }
        #expect(late == RPCStatus(.invalidArgument, "join token expired"))
        #expect(try await fixture.store.joinToken("abc") == nil)
    }

    @Test("of two agents with one token at the same time, one is let in")
    func race() async throws {
        let fixture = try await Fixture()
        try await fixture.store.createJoinToken(
            JoinToken(token: "abc", expiry: Int64(fixture.time.now.timeIntervalSince1970) + 60))
        let request = try params()
        let good = await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<8 {
                group.addTask { await status { try await attest(fixture, fixture.agents(), [request]) } == nil }
            }
            return await group.reduce(0) { $1 ? $0 + 1 : $0 }
        }
        #expect(good == 1)
    }

    @Test("with join tokens off, there is no such attestor")
    func tokensOff() async throws {
        let fixture = try await Fixture()
        var options = AgentService.Options()
        options.joinTokens = false
        let refused = await status { try await attest(fixture, fixture.agents(options: options), [try params()]) }
        #expect(
            refused
                == RPCStatus(
                    .failedPrecondition,
                    #"error getting node attestor: could not find node attestor type "join_token""#))
    }

    @Test(
        "a first message that lacks something is refused with what it lacks",
        arguments: [
            ("params", "missing params"), ("data", "missing attestation data"),
            ("svid", "missing X509-SVID parameters"), ("csr", "missing CSR"),
            ("type", "missing attestation data type"), ("payload", "missing attestation data payload"),
        ])
    func malformed(_ lacking: String, _ text: String) async throws {
        let fixture = try await Fixture()
        var request = try params()
        switch lacking {
        case "params": request.step = nil
        case "data": request.params.clearData()
        case "svid": request.params.clearParams()
        case "csr": request.params.params.csr = Data()
        case "type": request.params.data.type = ""
        default: request.params.data.payload = Data()
        }
        let sent = request
        let refused = await status { try await attest(fixture, fixture.agents(), [sent]) }
        #expect(refused == RPCStatus(.invalidArgument, "malformed param: \(text)"))
    }

    @Test("a CSR that is none does not get past, nor does a stream without messages")
    func badCSR() async throws {
        let fixture = try await Fixture()
        try await fixture.store.createJoinToken(
            JoinToken(token: "abc", expiry: Int64(fixture.time.now.timeIntervalSince1970) + 60))
        let refused = await status { try await attest(fixture, fixture.agents(), [try params(csr: Data([1]))]) }
        #expect(refused?.code == .invalidArgument)
        #expect(refused?.message.hasPrefix("failed to parse CSR: ") == true)
        let silent = await status { try await attest(fixture, fixture.agents(), []) }
        #expect(silent == RPCStatus(.invalidArgument, "malformed param: missing params"))
    }

    @Test("a plugin's challenges go over the stream, and its findings become the agent's")
    func challenge() async throws {
        let fixture = try await Fixture()
        var options = AgentService.Options()
        options.agentIDAsSelector = true
        let service = fixture.agents(attestors: ["riddle": Riddle()], options: options)
        let responses = try await attest(
            fixture, service, [try params("riddle"), .with { $0.challengeResponse = Data("42".utf8) }])
        #expect(responses.first?.challenge == Data("abc?".utf8))
        #expect(responses.last?.result.reattestable == true)
        let id = "spiffe://example.org/spire/agent/riddle/42"
        #expect(
            try await fixture.store.nodeSelectors(id: id) == [
                Selector(type: "riddle", value: "answer:42"), Selector(type: "spiffe_id", value: id),
            ])
    }

    @Test("a banned agent stays out, whatever it proves")
    func banned() async throws {
        let fixture = try await Fixture()
        try await fixture.store.createNode(
            AttestedNode(
                spiffeID: "spiffe://example.org/spire/agent/riddle/42", attestationType: "riddle", serialNumber: "",
                expiresAt: 1))
        let refused = await status {
            try await attest(
                fixture, fixture.agents(attestors: ["riddle": Riddle()]),
                [try params("riddle"), .with { $0.challengeResponse = Data("42".utf8) }])
        }
        #expect(refused == RPCStatus(.permissionDenied, "failed to attest: agent is banned"))
    }

    @Test("a plugin's failure keeps its status and names the plugin")
    func pluginFailure() async throws {
        let fixture = try await Fixture()
        let refused = await status {
            try await attest(
                fixture, fixture.agents(attestors: ["riddle": Riddle()]),
                [try params("riddle"), .with { $0.challengeResponse = Data("41".utf8) }])
        }
        #expect(refused == RPCStatus(.invalidArgument, "nodeattestor(riddle): wrong"))
    }
}

/// Asks one question; 42 is right.
private struct Riddle: ServerNodeAttestor {
    let name = "riddle"

    func attest(payload: [UInt8], exchange: any AttestationExchange) async throws -> NodeAttestation {
        let answer = String(decoding: try await exchange.exchange(payload + Array("?".utf8)), as: UTF8.self)
        guard answer == "42" else { throw SpireError(.invalid, "wrong") }
        return NodeAttestation(
            agentID: "spiffe://example.org/spire/agent/riddle/42", selectorValues: ["answer:42", "answer:42"],
            canReattest: true)
    }
}
