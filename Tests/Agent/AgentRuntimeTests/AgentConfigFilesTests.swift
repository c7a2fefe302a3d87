// SPDX-License-Identifier: Apache-2.0

import AgentRuntime
import FoundationEssentials
import HCL
import Telemetry
import Testing

/// Configuration files as a whole: ours, and real ones kept outside the repository.
@Suite struct AgentConfigFilesTests {
    private static let root = #filePath.split(separator: "/").dropLast(4).map { "/" + $0 }.joined()
    private static let samples: String? = {
        let places = [ProcessInfo.processInfo.environment["SPIRE_SAMPLES"], root + "/../shared/samples"]
        return places.compactMap(\.self).first { FileManager.default.fileExists(atPath: $0) }
    }()

    private func problems(_ text: [UInt8], _ path: String, withPlugins: Bool) -> [ConfigProblem] {
        do {
            let config = try AgentConfig.decode(text, path: path, workingDirectory: "/")
            if withPlugins { _ = try config.resolvedPlugins() }
            return []
        } catch {
            return error.problems
        }
    }

    @Test("the configuration files of this repository are valid", arguments: ["minimal", "full", "next"])
    func ours(name: String) throws {
        let path = Self.root + "/conf/agent/\(name).conf"
        let text = Array(try Data(contentsOf: URL(filePath: path)))
        #expect(problems(text, path, withPlugins: true) == [])
    }

    @Test("full.conf shows the defaults")
    func fullShowsDefaults() throws {
        let path = Self.root + "/conf/agent/full.conf"
        let config = try AgentConfig.decode(
            Array(try Data(contentsOf: URL(filePath: path))), path: path, workingDirectory: "/")
        #expect(config.experimental == AgentConfig.Experimental() && config.log.level == .info)
        #expect(config.socketPath == AgentConfig.defaultSocketPath && config.dataDir == ".")
    }

    @Test("real agent files load, but for what is not built yet", .enabled(if: samples != nil))
    func real() throws {
        let samples = try #require(Self.samples)
        for folder in ["spire-conf", "tutorials"] {
            let files = try FileManager.default.contentsOfDirectory(atPath: "\(samples)/\(folder)")
                .filter { $0.hasSuffix("agent.conf") || $0.hasPrefix("agent") }
            #expect(files.count > 2)
            for file in files {
                let text = Array(try Data(contentsOf: URL(filePath: "\(samples)/\(folder)/\(file)")))
                // The full reference file lists every plugin there is; only its structure can be right.
                let found = problems(text, file, withPlugins: file != "agent_full.conf")
                #expect(found.filter { $0.kind != .notImplemented } == [], "\(file)")
            }
        }
    }

    @Test("every commented example of the full reference file is known once uncommented", .enabled(if: samples != nil))
    func commentedExamples() throws {
        let path = try #require(Self.samples) + "/spire-conf/agent_full.conf"
        let text = Self.uncommented(String(decoding: try Data(contentsOf: URL(filePath: path)), as: UTF8.self))
        #expect(text.contains("\nallow_over_tcp = ") && text.contains("\nhealth_checks {"))
        let found = problems(Array(text.utf8), "agent_full.conf", withPlugins: false)
        #expect(found.filter { $0.kind == .unreadable || $0.kind == .unknownKey } == [], "\(found)\n\(text)")
    }

    /// Lines in comments that look like settings come to life; the plugins are left out.
    private static func uncommented(_ text: String) -> String {
        let setting =
            #/
            [}\]],? | \{ | \{.*\},? | "spiffe:[^"]*",
            | \w+\s*=\s*("[^"]*" | [\d.]+ | true | false | [\[\{].*),?
            | \w+(\s"\w+")?\s*(=\s)?[\[\{](\s*\})?
            /#
        var out: [String] = []
        var isInPlugins = false
        var isOtherLanguage = false
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            var content = line.drop { $0 == " " || $0 == "\t" }
            let isComment = content.hasPrefix("#")
            content = content.drop { $0 == "#" || $0 == " " || $0 == "\t" }
            if content.contains("logrotate.conf:") { isOtherLanguage = true }
            if isOtherLanguage {
                isOtherLanguage = content != "}"
                continue
            }
            if content.hasPrefix("plugins: ") { isInPlugins = true }
            if content.hasPrefix("telemetry: ") || content.hasPrefix("health_checks: ") { isInPlugins = false }
            if isInPlugins { continue }
            if !isComment || content.wholeMatch(of: setting) != nil { out.append(String(content)) }
        }
        return out.joined(separator: "\n") + "\nplugins {}\n"
    }
}
