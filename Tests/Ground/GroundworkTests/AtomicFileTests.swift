// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Groundwork
import Testing

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

struct AtomicFileTests {
    /// A folder of its own for each test, removed afterwards.
    private func inFolder(_ body: (String) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.path + "/atomic-" + SystemRandom().uuid()
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try body(folder)
    }

    private func mode(_ path: String) -> UInt32 {
        var status = stat()
        return stat(path, &status) == 0 ? UInt32(status.st_mode) & 0o7777 : 0
    }

    @Test("what is written is read, with exactly the mode asked for, and no other file is left")
    func roundTrip() throws {
        try inFolder { folder in
            for wanted: UInt32 in [0o600, 0o644, 0o666] {
                let bytes = (0..<200_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
                try AtomicFile.write(bytes, to: folder + "/file", mode: wanted)
                #expect(try AtomicFile.read(folder + "/file") == bytes)
                #expect(mode(folder + "/file") == wanted)
            }
            try AtomicFile.write([], to: folder + "/file")
            #expect(try AtomicFile.read(folder + "/file") == [])
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["file"])
        }
    }

    @Test("a key file is never readable by others, whatever its predecessor was")
    func keyFile() throws {
        try inFolder { folder in
            try AtomicFile.write([1], to: folder + "/keys", mode: 0o666)
            try AtomicFile.write([2], to: folder + "/keys")
            #expect(mode(folder + "/keys") == 0o600)
        }
    }

    @Test("a left-over temporary file of a killed writer is no hindrance, and a planted link is not followed")
    func leftOver() throws {
        try inFolder { folder in
            try AtomicFile.write([9, 9], to: folder + "/victim")
            #expect(symlink(folder + "/victim", folder + "/file.tmp") == 0)
            try AtomicFile.write([1], to: folder + "/file")
            #expect(try AtomicFile.read(folder + "/victim") == [9, 9])
            #expect(try AtomicFile.read(folder + "/file") == [1])
        }
    }

    @Test("a failed write names the place, leaves the old file as it was and nothing beside it")
    func failure() throws {
        try inFolder { folder in
            #expect(throws: SpireError(.io, "")) { try AtomicFile.write([1], to: folder + "/missing/file") }
            // A directory cannot be replaced by a file.
            try FileManager.default.createDirectory(atPath: folder + "/taken/inside", withIntermediateDirectories: true)
            do {
                try AtomicFile.write([1], to: folder + "/taken")
                Issue.record("a directory was replaced")
            } catch {
                #expect("\(error)".contains(folder + "/taken"))
            }
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["taken"])
        }
    }

    @Test("no file is no error; a file that is too large, or a folder, is")
    func reading() throws {
        try inFolder { folder in
            #expect(try AtomicFile.read(folder + "/none") == nil)
            try AtomicFile.write([1, 2, 3], to: folder + "/file")
            #expect(try AtomicFile.read(folder + "/file", limit: 3) == [1, 2, 3])
            #expect(throws: SpireError(.io, "")) { try AtomicFile.read(folder + "/file", limit: 2) }
            #expect(throws: SpireError(.io, "")) { try AtomicFile.read(folder) }
        }
    }
}
