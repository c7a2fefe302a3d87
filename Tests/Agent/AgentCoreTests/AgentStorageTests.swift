// SPDX-License-Identifier: Apache-2.0

import AgentCore
import FoundationEssentials
import Groundwork
import SPIFFE
import Testing

#if canImport(Glibc)
import Glibc
#endif

/// A directory of its own, removed when the test ends.
final class TemporaryDirectory {
    let path: String
    init() {
        path = "/tmp/spire-agent-tests-" + SystemRandom().uuid()
        try? FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }
    deinit { try? FileManager.default.removeItem(atPath: path) }
    func file(_ name: String) -> String { path + "/" + name }
}

struct AgentStorageTests {
    private let lane = BlockingLane("tests", width: 1)
    private let directory = TemporaryDirectory()

    @Test("what was stored is there after a restart, in a file only its owner may read")
    func roundTrip() async throws {
        let storage = try AgentStorage(directory: directory.path, lane: lane)
        #expect(storage.data == AgentData())
        try await storage.update {
            $0.svid = [[1, 2, 3], Array(repeating: 7, count: 200)]
            $0.bundle = [[4, 5]]
            $0.isReattestable = true
            $0.bootstrapUse = .bootstrap
            $0.bootstrapStart = Date(timeIntervalSince1970: 1_795_223_296.25)
            $0.connectionAttempts = 3
        }
        let again = try AgentStorage(directory: directory.path, lane: lane)
        #expect(again.data == storage.data)
        let attributes = try FileManager.default.attributesOfItem(atPath: directory.file("agent-data.json"))
        #expect(attributes[.posixPermissions] as? Int == 0o600)
    }

    @Test("an empty state is written as SPIRE writes it")
    func emptyLayout() {
        #expect(
            String(decoding: AgentData().encoded(), as: UTF8.self)
                == #"{"svid":null,"bundle":null,"reattestable":false,"bootstrap_use":0,"# +
                    #""bootstrap_start_time":"0001-01-01T00:00:00Z","connection_attempts":0}"#)
    }

    @Test("the file of an original agent is read, and written back byte for byte")
    func original() throws {
        guard let bytes = try Samples.read("spire-state/sqlite/agent/agent-data.json") else { return }
        let data = try AgentData(decoding: bytes)
        #expect(data.svid.count == 1 && data.bundle.count == 1 && data.bootstrapUse == .rebootstrap)
        #expect(data.encoded() == bytes)
    }

    @Test("a half-written or damaged file is refused with its name and the remedy, and stays as it is", arguments: [
        "", "{", #"{"svid":["#, #"{"svid":["aGVsbG8="]}"#, "[]", #"{"svid":[1]}"#, #"{"reattestable":"yes"}"#,
    ])
    func damaged(_ text: String) throws {
        let path = directory.file("agent-data.json")
        try AtomicFile.write(Array(text.utf8), to: path)
        do {
            _ = try AgentStorage(directory: directory.path, lane: lane)
            #expect(Bool(false), "it was accepted")
        } catch let error as SpireError {
            #expect(error.code == .storageMalformed)
            #expect(error.message.hasPrefix("failed to open storage: ") && error.message.contains(path))
        }
        #expect(try AtomicFile.read(path) == Array(text.utf8))
    }

    @Test("a stored certificate that is damaged is told of with its field and place, one that is only unusual is kept")
    func certificates() throws {
        func decode(_ pem: String) throws -> [[UInt8]] {
            let text = Data(pem.utf8).base64EncodedString()
            return try AgentData(decoding: Array("{\"bundle\":[\"\(text)\"]}".utf8)).bundle
        }
        let block = PEMBlock("CERTIFICATE", [1, 2, 3]).text
        #expect(try decode(block) == [[1, 2, 3]])
        #expect(try decode(block + "words\n" + PEMBlock("PUBLIC KEY", [4]).text + block) == [[1, 2, 3], [1, 2, 3]])
        for (pem, words) in [
            ("hello", ""), (PEMBlock("PUBLIC KEY", [4]).text, ""), (String(block.dropLast(10)), ": line 3 is not a whole -----END line"),
            (block.replacing("\nA", with: "\n!"), ": block 1 is not base64 in line 2"),
        ] {
            let error = #expect(throws: SpireError.self) { try decode(pem) }
            #expect(error?.code == .storageMalformed && error?.message == "failed to parse bundle: a value is not a PEM certificate" + words)
        }
    }

    @Test("an unchanged state is not written again")
    func unchanged() async throws {
        let storage = try AgentStorage(directory: directory.path, lane: lane)
        try await storage.update { $0.connectionAttempts = 0 }
        #expect(try AtomicFile.read(directory.file("agent-data.json")) == nil)
    }
}

struct TimestampTests {
    @Test("times are read and written as Go does", arguments: [
        ("2026-11-21T01:07:18.486331Z", 1_795_223_238.486331), ("1970-01-01T00:00:00Z", 0),
        ("2000-02-29T23:59:59Z", 951_868_799),
    ])
    func roundTrip(_ text: String, _ seconds: Double) {
        #expect(Timestamp.text(Date(timeIntervalSince1970: seconds)) == text)
        #expect(Timestamp.date(text).map { abs($0.timeIntervalSince1970 - seconds) < 1e-5 } == true)
    }

    @Test("offsets are understood, the zero time and nonsense are not times")
    func reading() {
        #expect(Timestamp.date("1970-01-01T02:00:00+02:00") == Date(timeIntervalSince1970: 0))
        #expect(Timestamp.date("0001-01-01T00:00:00Z") == nil)
        #expect(Timestamp.date("yesterday") == nil)
        #expect(Timestamp.date("2026-13-01T00:00:00Z") == nil)
        #expect(Timestamp.date("2026-01-01T00:00:00") == nil)
    }
}

/// The original's sample files, where they are present.
enum Samples {
    static func read(_ path: String) throws -> [UInt8]? {
        let environment = getenv("SPIRE_SAMPLES").map { String(cString: $0) }
        let source = #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
        for root in [environment, "/\(source)/../shared/samples"].compactMap({ $0 }) {
            if let bytes = try AtomicFile.read("\(root)/\(path)") { return bytes }
        }
        print("skipped: the samples are not here; set SPIRE_SAMPLES to their folder")
        return nil
    }
}
