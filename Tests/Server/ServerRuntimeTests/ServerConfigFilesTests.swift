// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import HCL
import ServerRuntime
import Telemetry
import Testing

/// Configuration files as a whole: ours, and real ones kept outside the repository.
@Suite struct ServerConfigFilesTests {
    private static let root = #filePath.split(separator: "/").dropLast(4).map { "/" + $0 }.joined()
    private static let samples: String? = {
        let places = [ProcessInfo.processInfo.environment["SPIRE_SAMPLES"], root + "/../shared/samples"]
        return places.compactMap(\.self).first { FileManager.default.fileExists(atPath: $0) }
    }()

    private func problems(_ text: [UInt8], _ path: String) -> [ConfigProblem] {
        do {
            _ = try ServerConfig.decode(text, path: path, workingDirectory: "/").resolvedPlugins()
            return []
        } catch {
            return error.problems
        }
    }

    @Test("the configuration files of this repository are valid", arguments: ["minimal", "full", "next"])
    func ours(name: String) throws {
        let path = Self.root + "/conf/server/\(name).conf"
        let text = Array(try Data(contentsOf: URL(filePath: path)))
        #expect(problems(text, path) == [])
        let config = try ServerConfig.decode(text, path: path, workingDirectory: "/")
        #expect(config.notices.filter { $0.level != .warning || !$0.message.hasPrefix("Experimental") } == [])
    }

    @Test("full.conf shows the defaults")
    func fullShowsDefaults() throws {
        let path = Self.root + "/conf/server/full.conf"
        let config = try ServerConfig.decode(
            Array(try Data(contentsOf: URL(filePath: path))), path: path, workingDirectory: "/")
        #expect(config.experimental == ServerConfig.Experimental())
        #expect(config.bindPort == 8081 && config.caTTL == .seconds(86400) && config.log.level == .info)
        #expect(config.caSubject == ServerConfig.CASubject())
    }

    @Test("real server files load, but for what is not built yet", .enabled(if: samples != nil))
    func real() throws {
        let samples = try #require(Self.samples)
        for folder in ["spire-conf", "tutorials"] {
            let files = try FileManager.default.contentsOfDirectory(atPath: "\(samples)/\(folder)")
                .filter { $0.contains("server") && !$0.hasSuffix("agent.conf") && $0 != "server_full.conf" }
            #expect(files.count > 1)
            for file in files {
                let text = Array(try Data(contentsOf: URL(filePath: "\(samples)/\(folder)/\(file)")))
                let others = problems(text, file).filter { $0.kind != .notImplemented }
                #expect(others == [], "\(file)")
            }
        }
    }

    @Test("every commented example of the full reference file is known once uncommented", .enabled(if: samples != nil))
    func commentedExamples() throws {
        let path = try #require(Self.samples) + "/spire-conf/server_full.conf"
        let text = Uncommenting.uncommented(String(decoding: try Data(contentsOf: URL(filePath: path)), as: UTF8.self))
        let diagnostics = problems(Array(text.utf8), "server_full.conf")
        #expect(text.contains("\nproxy_protocol_trusted_cidrs = ") && text.contains("\nhealth_checks {"))
        let wrong = diagnostics.filter { $0.kind == .unreadable || $0.kind == .unknownKey }
        #expect(wrong == [], "\(diagnostics)")
    }
}

/// Brings the examples in the comments of a reference file to life: lines that look like settings, up to the plugins.
enum Uncommenting {
    static func uncommented(_ text: String) -> String {
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
