// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import HCL
import Logging
import Telemetry
import Testing

/// Takes real log lines apart, logs their parts anew and compares.
@Suite struct LogSampleTests {
    private static let samples: String? = {
        let root = #filePath.split(separator: "/").dropLast(4).map { "/" + $0 }.joined()
        let places = [ProcessInfo.processInfo.environment["SPIRE_SAMPLES"], root + "/../shared/samples"]
        return places.compactMap(\.self).first { FileManager.default.fileExists(atPath: $0) }
    }()

    private enum Value: Decodable {
        case bool(Bool), int(Int), text(String), texts([String])
        /// Absent, or a Go structure that nothing of ours resembles.
        case null
        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if container.decodeNil() {
                self = .null
            } else if let value = try? container.decode(Bool.self) {
                self = .bool(value)
            } else if let value = try? container.decode(Int.self) {
                self = .int(value)
            } else if let value = try? container.decode([String].self) {
                self = .texts(value)
            } else if let value = try? container.decode(String.self) {
                self = .text(value)
            } else {
                self = .null
            }
        }
        var metadata: Logger.MetadataValue? {
            switch self {
            case .bool(let value): .stringConvertible(value)
            case .int(let value): .stringConvertible(value)
            case .text(let value): .string(value)
            case .texts(let values): .array(values.map { .string($0) })
            case .null: nil
            }
        }
    }

    private func lines(_ name: String) throws -> [String] {
        let data = try Data(contentsOf: URL(filePath: try #require(Self.samples) + "/run/" + name))
        return String(decoding: data, as: UTF8.self).split(separator: "\n").map(String.init)
    }

    /// Logs each record and returns the lines.
    private func logged(_ format: LogFormat, _ records: [(String, String, Logger.Metadata)]) throws -> [String] {
        let path = FileManager.default.temporaryDirectory.path + "/sample-\(UInt64.random(in: .min ... .max)).log"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let system = try LogSystem(LogSettings(level: .trace, format: format, file: path))
        for (level, message, fields) in records {
            let level = try #require(LogLevel(level)).threshold
            system.logger.log(level: level, "\(message)", metadata: fields)
        }
        let data = try Data(contentsOf: URL(filePath: path))
        return String(decoding: data, as: UTF8.self).split(separator: "\n").map(String.init)
    }

    @Test("text lines of a real server come out the same", .enabled(if: samples != nil))
    func text() throws {
        let lines = try lines("server-log.txt")
        let records = try lines.map { line in
            var fields: Logger.Metadata = [:]
            for match in line.matches(of: /([^ =]+)=("(?:[^"\\]|\\.)*"|[^ ]*)/) {
                let value = match.2.hasPrefix("\"") ? try unquoted(String(match.2)) : String(match.2)
                fields[String(match.1)] = .string(value)
            }
            let level = fields.removeValue(forKey: "level")?.description ?? ""
            let message = fields.removeValue(forKey: "msg")?.description ?? ""
            fields["time"] = nil
            return (level, message, fields)
        }
        func withoutTime(_ line: String) -> Substring { line.dropFirst(6).drop { $0 != "\"" } }
        let ours = try logged(.standard, records)
        #expect(ours.count == lines.count)
        for (our, theirs) in zip(ours, lines) { #expect(withoutTime(our) == withoutTime(theirs)) }
    }

    /// The quoting of log lines is that of HCL strings without interpolation.
    private func unquoted(_ literal: String) throws -> String {
        let root = HCLBlock(try HCL.parse("v = " + literal), diagnostics: HCLDiagnostics())
        return try #require(root.string("v")?.value)
    }

    @Test("JSON lines of a real agent come out the same", .enabled(if: samples != nil))
    func json() throws {
        let lines = try lines("agent-log.jsonl")
        var kept: [String] = []
        var records: [(String, String, Logger.Metadata)] = []
        for line in lines {
            let values = try JSONDecoder().decode([String: Value].self, from: Data(line.utf8))
            if values.values.contains(where: { $0.metadata == nil }) { continue }
            var fields = values.compactMapValues(\.metadata)
            let level = fields.removeValue(forKey: "level")?.description ?? ""
            let message = fields.removeValue(forKey: "msg")?.description ?? ""
            fields["time"] = nil
            records.append((level, message, fields))
            kept.append(line)
        }
        func withoutTime(_ line: String) -> String { line.replacing(/"time":"[^"]*"/, with: "\"time\":\"\"") }
        let ours = try logged(.json, records)
        #expect(ours.count == kept.count && kept.count > 50)
        for (our, theirs) in zip(ours, kept) { #expect(withoutTime(our) == withoutTime(theirs)) }
    }
}
