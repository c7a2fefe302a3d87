// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOEmbedded
import NIOHTTP2
import Testing

@testable import RPC

@Suite("The age of a server's connection")
struct ConnectionAgeTests {
    private func age(_ chance: Double, streaming: TimeAmount? = .minutes(30)) throws -> ConnectionAge {
        var configuration = RPCServerConfiguration()
        configuration.maximumConnectionAge = .minutes(3)
        configuration.maximumStreamingAge = streaming
        configuration.chance = { chance }
        return try #require(ConnectionAge(configuration))
    }

    @Test("differs by a tenth without streams and by a third with them", arguments: [0, 0.25, 0.5, 0.999])
    func spread(_ chance: Double) throws {
        let age = try age(chance)
        let plain = TimeAmount.milliseconds(162_000 + Int64(36_000 * chance))
        let streaming = TimeAmount.milliseconds(1_200_000 + Int64(1_200_000 * chance))
        for (limit, streams) in [(plain, 0), (streaming, 1), (streaming, 7)] {
            #expect(!age.isOver(after: limit - .milliseconds(2), streams: streams))
            #expect(age.isOver(after: limit + .milliseconds(2), streams: streams))
        }
        let first = try #require(age.nextLook(after: .zero))
        let second = try #require(age.nextLook(after: first))
        #expect(age.isOver(after: first, streams: 0) && !age.isOver(after: first, streams: 1))
        #expect(age.isOver(after: second, streams: 1))
        #expect(age.nextLook(after: second) == nil)
    }

    @Test("5,000 clients that came together go one after the other, at most five in a second")
    func crowd() throws {
        let ages = try (0..<5_000).map { try age(Double($0) / 5_000) }
        for second in stride(from: 1_100, to: 2_500, by: 50) {
            let (from, to) = (TimeAmount.seconds(Int64(second)), TimeAmount.seconds(Int64(second + 10)))
            let gone = ages.count { !$0.isOver(after: from, streams: 1) && $0.isOver(after: to, streams: 1) }
            #expect(gone <= 50)
        }
        #expect(ages.allSatisfy { $0.isOver(after: .minutes(40), streams: 1) })
    }

    @Test("is the same with streams where nothing else is said, and may be shorter")
    func others() throws {
        let same = try age(0.5, streaming: nil)
        #expect(same.isOver(after: .minutes(3), streams: 1))
        #expect(same.nextLook(after: .minutes(3)) == nil)
        let shorter = try age(0.5, streaming: .seconds(30))
        #expect(shorter.isOver(after: .seconds(30), streams: 1) && !shorter.isOver(after: .seconds(30), streams: 0))
        #expect(shorter.nextLook(after: .seconds(30)) == .minutes(3))
        #expect(ConnectionAge(RPCServerConfiguration()) == nil)
    }

    private func server() throws -> EmbeddedServer {
        try EmbeddedServer {
            $0.maximumConnectionAge = .minutes(3)
            $0.maximumStreamingAge = .minutes(30)
            $0.streamingGrace = .seconds(5)
            $0.chance = { 0.5 }
        }
    }

    @Test("a stream keeps its connection for the longer age, is asked to go, and ended if it does not")
    func streaming() throws {
        let server = try server()
        try server.follow(on: 1)
        try server.pass(.minutes(29))
        #expect(server.goAway == nil)
        try server.pass(.minutes(1))
        #expect(server.goAway == .noError)
        #expect(server.answer(1).status == nil, "it may look for another server first")
        try server.pass(.seconds(4))
        #expect(server.answer(1).status == nil)
        try server.pass(.seconds(1))
        #expect(server.answer(1).status == "14")
        #expect(!server.channel.isActive)
    }

    @Test("a stream that goes when it is asked to leaves nothing behind")
    func goes() throws {
        let server = try server()
        try server.follow(on: 1)
        try server.pass(.minutes(30))
        server.write(.rstStream(.cancel), on: 1)
        try server.flush()
        #expect(server.answer(1).status == nil)
        #expect(!server.channel.isActive)
    }

    @Test("a connection whose stream has ended is no older than others may be")
    func afterwards() throws {
        let server = try server()
        try server.follow(on: 1)
        try server.follow(on: 3)
        try server.pass(.minutes(10))
        server.write(.rstStream(.cancel), on: 1)
        try server.flush()
        #expect(server.goAway == nil, "another one is open")
        server.write(.rstStream(.cancel), on: 3)
        try server.flush()
        #expect(server.goAway == .noError)
        let young = try self.server()
        try young.follow(on: 1)
        young.write(.rstStream(.cancel), on: 1)
        try young.flush()
        try young.pass(.minutes(2))
        #expect(young.goAway == nil)
        try young.pass(.minutes(1))
        #expect(young.goAway == .noError)
    }

    @Test("a stream that comes while the server says goodbye to a connection is ended with it")
    func late() throws {
        let server = try server()
        server.channel.embeddedEventLoop.advanceTime(by: .minutes(3))
        server.channel.embeddedEventLoop.advanceTime(by: .seconds(6))
        // The client has read nothing of it yet.
        try server.follow(on: 1)
        #expect(server.answer(1) == ("200", "14", "the server asked this connection to end; call again on another"))
        #expect(!server.channel.isActive)
    }
}
