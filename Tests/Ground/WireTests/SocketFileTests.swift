// SPDX-License-Identifier: Apache-2.0

import Foundation
import Groundwork
import NIOCore
import NIOPosix
import RPC
import Testing

@testable import Wire

@Suite("Unix sockets in the file system")
struct SocketFileTests {
    private func listener(_ path: String) async throws -> UnixListener {
        try await UnixListener.bind(
            path: path, mode: 0o640, group: UnixEcho.group, server: RPCServer(services: echoTable(Seen())))
    }

    private func modified(_ path: String) throws -> Date? {
        try FileManager.default.attributesOfItem(atPath: path)[.modificationDate] as? Date
    }

    @Test("the mode is exact, missing directories are made, and closing removes the socket")
    func life() async throws {
        try await UnixEcho.run { echo in
            let attributes = try FileManager.default.attributesOfItem(atPath: echo.path)
            #expect(attributes[.posixPermissions] as? Int == 0o640)
            await echo.listener.close()
            #expect(!FileManager.default.fileExists(atPath: echo.path))
        }
    }

    @Test("a socket somebody listens on is left alone, a left-over one replaced, a file refused")
    func leftovers() async throws {
        let directory = temporaryDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let path = directory + "/s"
        let first = try await listener(path)
        await #expect(throws: SpireError(.addressInUse, "")) { _ = try await listener(path) }
        await first.close()

        let left = try SocketFile(binding: path, mode: 0o600)
        close(left.descriptor)
        #expect(FileManager.default.fileExists(atPath: path))
        // File times go by the clock's tick; the file system may give the new socket the old one's number.
        let time = try modified(path)
        while true {
            _ = FileManager.default.createFile(atPath: directory + "/clock", contents: Data())
            if try modified(directory + "/clock") != time { break }
        }
        let second = try await listener(path)
        left.remove()
        #expect(FileManager.default.fileExists(atPath: path), "only its own socket is removed")
        await second.close()

        _ = FileManager.default.createFile(atPath: path, contents: Data())
        await #expect(throws: SpireError(.addressInUse, "")) { _ = try await listener(path) }
        await #expect(throws: SpireError(.invalid, "")) {
            _ = try await listener(directory + "/" + String(repeating: "x", count: 200))
        }
    }

    @Test("the start time is found whatever the program is called")
    func startTime() {
        let line = "12 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20 21"
        #expect(ProcessStat.startTime(Array(line.utf8)) == 4711)
        #expect(ProcessStat.startTime(Array("12 (a S 1".utf8)) == nil)
        #expect(ProcessStat.startTime(Array("12 (a) S 1".utf8)) == nil)
        #expect(ProcessStat.startTime([]) == nil)
    }
}
