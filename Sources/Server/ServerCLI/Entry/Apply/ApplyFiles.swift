// SPDX-License-Identifier: Apache-2.0

import APIProtos
import CLISupport
import FoundationEssentials
import SPIFFE
import YAML

/// An entry as a file declares it.
struct DeclaredEntry: Sendable {
    /// With its id, which follows from the owner and the entry's key.
    var entry: Spire_Api_Types_Entry
    /// What tells it from the owner's other entries: its name, or its SPIFFE ID and parent.
    var key: ApplyKey
    /// `file:line`.
    var place: String
}

/// Everything wrong with the files, to be told at once.
struct ApplyProblems: Error, Sendable, CustomStringConvertible {
    /// Shown of more.
    private static let most = 50
    private(set) var texts: [String] = []
    private var count = 0

    init(_ texts: [String] = []) { for text in texts { add(text) } }

    var isEmpty: Bool { count == 0 }

    mutating func add(_ text: String) {
        count += 1
        if texts.count < Self.most { texts.append(text.harmless) }
    }

    mutating func add(_ text: String, at node: YAMLNode, in file: String) {
        add("\(Self.place(node.position, file)): \(text)")
    }

    static func place(_ position: YAMLPosition, _ file: String) -> String {
        position.line == 0 ? file : "\(file):\(position.line)"
    }

    var description: String {
        let more = count > texts.count ? ["and \(count - texts.count) more"] : []
        return (texts + more).joined(separator: "\n")
    }
}

/// Reads the files of an apply.
enum ApplyFiles {
    /// Of all files together, in bytes.
    static let limit = 256 << 20
    static let endings = [".yaml", ".yml", ".json"]

    /// All entries the files under `path` declare.
    /// - Parameter path: A file, a folder whose files (not those of folders in it) count by their ending, or `-`.
    /// - Throws: `CommandFailure` with everything that is wrong.
    static func read(_ path: String, owner: String) throws -> [DeclaredEntry] {
        var problems = ApplyProblems()
        var declared: [DeclaredEntry] = []
        var size = 0
        for file in try files(path) {
            let bytes = try InputFile.read(file)
            size += bytes.count
            guard size <= limit else { throw CommandFailure("the files are larger than \(limit) bytes together") }
            declared += entries(bytes, file, owner, &problems)
        }
        return try checked(declared, &problems)
    }

    /// The entries one text declares.
    /// - Throws: `CommandFailure` with everything that is wrong.
    static func read(_ bytes: [UInt8], file: String, owner: String) throws -> [DeclaredEntry] {
        var problems = ApplyProblems()
        let declared = entries(bytes, file, owner, &problems)
        return try checked(declared, &problems)
    }

    private static func entries(
        _ bytes: [UInt8], _ file: String, _ owner: String, _ problems: inout ApplyProblems
    ) -> [DeclaredEntry] {
        var declared: [DeclaredEntry] = []
        do {
            for document in try documents(bytes, file) {
                var reader = ApplyDocument(file: file, owner: owner)
                reader.read(document)
                declared += reader.entries
                for text in reader.problems.texts { problems.add(text) }
            }
        } catch {
            problems.add("\(file): \(error)")
        }
        return declared
    }

    private static func checked(
        _ declared: [DeclaredEntry], _ problems: inout ApplyProblems
    ) throws -> [DeclaredEntry] {
        repeats(declared, &problems)
        if !problems.isEmpty { throw CommandFailure("nothing was applied:\n\(problems)") }
        return declared
    }

    static func documents(_ bytes: [UInt8], _ file: String) throws -> [YAMLNode] {
        guard file.lowercased().hasSuffix(".json") else { return try YAML.documents(bytes) }
        return [YAMLNode(try JSONValue.parse(bytes, maximumLength: InputFile.limit))]
    }

    private static func files(_ path: String) throws -> [String] {
        var isFolder = false
        if path != "-" {
            guard let attributes = try? FileManager.default.attributesOfItem(atPath: path) else { return [path] }
            isFolder = attributes[.type] as? FileAttributeType == .typeDirectory
        }
        guard isFolder else { return [path] }
        let names: [String]
        do {
            names = try FileManager.default.contentsOfDirectory(atPath: path).filter { name in
                !name.hasPrefix(".") && endings.contains { name.lowercased().hasSuffix($0) }
            }
        } catch {
            throw CommandFailure("open \(path): \(error)")
        }
        guard !names.isEmpty else {
            throw CommandFailure("the folder \(path) has no file that ends in \(endings.joined(separator: ", "))")
        }
        return names.sorted().map { path.hasSuffix("/") ? path + $0 : path + "/" + $0 }
    }

    /// Two declarations of one entry, or two entries nobody could tell apart.
    private static func repeats(_ declared: [DeclaredEntry], _ problems: inout ApplyProblems) {
        var places: [String: DeclaredEntry] = [:]
        var kinds: [EntryKind: DeclaredEntry] = [:]
        for item in declared {
            if let first = places.updateValue(item, forKey: item.entry.id) {
                let remedy =
                    item.key.isName
                    ? "" : "; give each a name, if both are wanted"
                problems.add("\(item.place): \(item.key) is declared at \(first.place) already\(remedy)")
            } else if let first = kinds.updateValue(item, forKey: EntryKind(item.entry)) {
                problems.add(
                    "\(item.place): the entry has the SPIFFE ID, parent and selectors of the one at \(first.place)")
            }
        }
    }
}

/// What a server holds for the same entry.
struct EntryKind: Hashable, Sendable {
    let spiffeID: String
    let parentID: String
    let selectors: Set<String>

    init(_ entry: Spire_Api_Types_Entry) {
        spiffeID = entry.spiffeID.text
        parentID = entry.parentID.text
        selectors = Set(entry.selectors.map { "\($0.type):\($0.value)" })
    }
}

extension YAMLNode {
    /// JSON texts are read by their own parser, which knows no places.
    init(_ value: JSONValue) {
        let nowhere = YAMLPosition(line: 0, column: 0)
        let content: Content
        switch value {
        case .null: content = .scalar("null", isPlain: true)
        case .bool(let flag): content = .scalar(flag ? "true" : "false", isPlain: true)
        case .number(let text): content = .scalar(text, isPlain: true)
        case .string(let text): content = .scalar(text, isPlain: false)
        case .array(let values): content = .sequence(values.map { YAMLNode($0) })
        case .object(let object):
            content = .mapping(object.members.map { Member($0.name, at: nowhere, YAMLNode($0.value)) })
        }
        self.init(content, at: nowhere)
    }
}
