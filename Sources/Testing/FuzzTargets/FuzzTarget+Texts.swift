// SPDX-License-Identifier: Apache-2.0

import CLISupport
import HCL
import MySQLDriver
import PostgresDriver
import SPIFFE
import SPIFFEWorkloadAPI
import SQLiteDriver
import ServerAPI
import ServerCLI
import ServerRuntime
import Telemetry
import Web
import Wire
import YAML

extension FuzzTarget {
    static func hcl(_ bytes: [UInt8]) throws -> Verdict {
        let parsed: Verdict
        do throws(HCLError) {
            let object = try HCL.parse(bytes)
            let diagnostics = HCLDiagnostics(file: nil)
            let block = HCLBlock(object, path: "", diagnostics: diagnostics)
            _ = block.block("plugins").map(PluginBlock.decode)
            block.finish(section: "top-level")
            parsed = .accepted("\(object.items.count) items")
        } catch {
            let lines = bytes.reduce(1) { $1 == 0x0a ? $0 + 1 : $0 }
            try promise(!error.message.isEmpty, "refused without a word")
            try promise((1...lines).contains(error.position.line) && error.position.column >= 1, "refused at \(error.position)")
            parsed = .refused("\(error)")
        }
        // A server reads it as its configuration: whatever is wrong with that is said in words.
        do throws(ConfigError) {
            _ = try ServerConfig.decode(
                bytes, path: "server.conf", flags: ServerFlags(), environment: [:], workingDirectory: "/")
        } catch {
            try promise(!error.problems.isEmpty, "a configuration was refused without a reason")
            for problem in error.problems { try promise(!problem.message.isEmpty, "a problem without a word") }
        }
        return parsed
    }

    static func yaml(_ bytes: [UInt8]) throws -> Verdict {
        var limits = YAML.Limits()
        limits.nodes = 10_000
        let documents: [YAMLNode]
        do throws(YAMLError) {
            documents = try YAML.documents(bytes, limits: limits)
        } catch {
            try promise(!error.message.isEmpty, "refused without a word")
            let isWhole = error.message.hasPrefix("the text is")
            try promise(isWhole || error.position.line >= 1, "refused nowhere: \(error)")
            return .refused("\(error)")
        }
        for document in documents { try check(document, 0) }
        return try declared(bytes, "x.yaml")
    }

    private static func declared(_ bytes: [UInt8], _ file: String) throws -> Verdict {
        let verdict = try verdict({ try OperatorTexts.declaredEntries(bytes, file: file, owner: "team") }) { entries in
            entries.map(\.text).joined(separator: "\n")
        }
        if case .refused(let text) = verdict {
            for line in text.split(separator: "\n").dropFirst() {
                try promise(line.hasPrefix(file) || line.hasPrefix("and "), "a problem without its place: \(line)")
            }
        }
        return verdict
    }

    private static func check(_ node: YAMLNode, _ depth: Int) throws {
        try promise(depth <= YAML.Limits().depth, "deeper than the limit")
        try promise(node.position.line >= 1 && node.position.column >= 1, "a value without a place")
        try promise(!node.isNull || (node.text == nil && node.bool == nil && node.integer == nil), "nothing is something")
        let members = node.mapping ?? []
        try promise(Set(members.map(\.key)).count == members.count, "a key is there twice")
        for inner in (node.sequence ?? []) + members.map(\.value) { try check(inner, depth + 1) }
    }

    static func json(_ bytes: [UInt8]) throws -> Verdict {
        let value: JSONValue
        do throws(SPIFFEError) {
            value = try JSONValue.parse(bytes)
        } catch {
            try promise(error.message.contains("byte"), "refused nowhere: \(error)")
            return .refused(error.message)
        }
        for indent in [nil, 2] {
            let text = value.text(indent: indent)
            guard let again = try? JSONValue.parse(text, maximumLength: .max) else {
                throw BrokenPromise("what was written cannot be read")
            }
            try promise(again == value, "what was read is not what was written")
        }
        // SPIRE's files as JSON: the same entries, by the other parser.
        _ = try attempt { try OperatorTexts.declaredEntries(bytes, file: "x.json", owner: "team") }
        return .accepted(text(value.text()))
    }

    static func entries(_ bytes: [UInt8]) throws -> Verdict {
        try verdict({ try OperatorTexts.entries(bytes) }) { $0.map(\.text).joined(separator: "\n") }
    }

    static func federation(_ bytes: [UInt8]) throws -> Verdict {
        try verdict({ try OperatorTexts.relationships(bytes) }) { $0.map(\.text).joined(separator: "\n") }
    }

    static func spiffeID(_ bytes: [UInt8]) throws -> Verdict {
        let text = text(bytes)
        if let domain = try? TrustDomain(text) {
            try promise((try? TrustDomain(domain.name)) == domain, "a trust domain's name is none")
            try promise((try? TrustDomain(domain.id.description)) == domain, "a trust domain's ID is none")
            try promise(domain.name.utf8.count <= SPIFFEID.maximumTrustDomainLength, "a trust domain is too long")
        }
        return try verdict({ try SPIFFEID(text) }) { id in
            try promise(same(id.description, text), "an ID was normalised")
            try promise(text.utf8.count <= SPIFFEID.maximumLength, "an ID is too long")
            try promise(text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f }, "an ID holds what cannot be seen")
            try promise(!id.path.contains("/../") && !id.path.contains("//") && !id.path.hasSuffix("/"), "an ID leads elsewhere")
            try promise((try? SPIFFEID(id.trustDomain, path: id.path)) == id, "the parts do not make the ID")
            return id.description
        }
    }

    static func selector(_ bytes: [UInt8]) throws -> Verdict {
        let text = text(bytes)
        return try verdict({ try OperatorTexts.selector(text) }) { selector in
            try promise(!selector.type.utf8.contains(UInt8(ascii: ":")), "a type with a colon")
            try promise(same("\(selector.type):\(selector.value)", text), "a selector was changed")
            return "\(selector.type) \(selector.value)"
        }
    }

    static func words(_ bytes: [UInt8]) throws -> Verdict {
        let text = text(bytes)
        var kinds: [String] = []
        func note(_ kind: String, _ result: Result<Void, Refusal>) { if case .success = result { kinds.append(kind) } }
        note("dns", try attempt { try DNSNames.check(text) })
        if case .success(let address) = try attempt({ try WebAddress(text) }) {
            kinds.append("url")
            try promise(address.target.hasPrefix("/") && (0...65535).contains(address.port), "a URL leads nowhere")
            _ = try attempt { try address.following(text) }
        }
        note("endpoint", try attempt { _ = try WorkloadAPIEndpoint(text) })
        note("cidr", try attempt { _ = try CIDRBlock(text) })
        if case .success(let duration) = DurationText.parse(text) {
            kinds.append("duration")
            let seconds = Duration.seconds(duration.components.seconds)
            if case .success(let again) = DurationText.parse(DurationText.short(duration)) {
                try promise(again == seconds, "a duration was changed")
            } else {
                throw BrokenPromise("a duration cannot be read back")
            }
        }
        if let span = SpanContext(traceparent: text) {
            kinds.append("span")
            try promise(SpanContext(traceparent: span.traceparent) == span, "a span was changed")
        }
        let expanded = EnvironmentExpansion.expand(bytes, ["A": "$A", "B": ""])
        try promise(expanded.count <= bytes.count * 2, "an expansion grows")
        return kinds.isEmpty ? .refused("none of these") : .accepted(kinds.joined(separator: " "))
    }

    static func location(_ bytes: [UInt8]) throws -> Verdict {
        let text = text(bytes)
        var kinds: [String] = []
        // The secret stands where passwords stand; no message may hold it.
        switch try attempt({ try MySQLLocation(text) }) {
        case .success(let place):
            kinds.append("mysql \(place.hosts.map { "\($0.name):\($0.port)" }) \(place.socket) \(place.database)")
        case .failure(let refusal): try promise(!refusal.text.contains("hunter2"), "a password is in a message: \(refusal.text)")
        }
        switch try attempt({ try PostgresLocation(text) }) {
        case .success(let place):
            kinds.append("postgres \(place.parameters["host"] ?? "") \(place.parameters["port"] ?? "")")
            try promise(place.parameters["client_encoding"] == "UTF8", "another encoding")
        case .failure(let refusal): try promise(!refusal.text.contains("hunter2"), "a password is in a message: \(refusal.text)")
        }
        if case .success(let place) = try attempt({ try SQLiteLocation(text) }) {
            kinds.append("sqlite \(place.path ?? "memory")")
            // Bytes, not letters: the colon may bear a mark.
            try promise(place.uri.utf8.starts(with: "file:".utf8), "a path is not taken literally")
        }
        return kinds.isEmpty ? .refused("none of these") : .accepted(kinds.joined(separator: "; "))
    }
}
