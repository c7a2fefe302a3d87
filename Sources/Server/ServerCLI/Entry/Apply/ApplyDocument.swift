// SPDX-License-Identifier: Apache-2.0

import APIProtos
import CLISupport
import SPIFFE
import YAML

/// Reads one document: a list of entries, or an object with `owner`, `defaults` and `entries`.
struct ApplyDocument {
    let file: String
    let owner: String
    private(set) var entries: [DeclaredEntry] = []
    private(set) var problems = ApplyProblems()

    init(file: String, owner: String) {
        self.file = file
        self.owner = owner
    }

    mutating func read(_ root: YAMLNode) {
        if let list = root.sequence { return read(list, defaults: [:]) }
        guard let members = root.mapping else {
            return problems.add("a list of entries, or an object with entries, is expected", at: root, in: file)
        }
        var defaults: [String: YAMLNode] = [:]
        var list: [YAMLNode]?
        for member in members {
            switch member.key {
            case "entries":
                list = member.value.sequence
                if list == nil { problems.add("entries is not a list", at: member.value, in: file) }
            case "defaults":
                for item in member.value.mapping ?? [] {
                    if ["name", "spiffe_id"].contains(item.key) || !DeclaredFields.keys.contains(item.key) {
                        problems.add("\(GoText.quoted(item.key)) cannot have a default", at: item.value, in: file)
                    }
                    defaults[item.key] = item.value
                }
                if member.value.mapping == nil { problems.add("defaults is not an object", at: member.value, in: file) }
            case "owner":
                if member.value.text != owner {
                    problems.add(
                        "the file is owner \(GoText.quoted(member.value.text ?? ""))'s, not \"\(owner)\"'s; see -owner",
                        at: member.value, in: file)
                }
            default:
                problems.add(
                    "unknown key \(GoText.quoted(member.key)); known are owner, defaults, entries", at: member.value, in: file)
            }
        }
        guard let list else {
            if !members.contains(where: { $0.key == "entries" }) {
                problems.add("entries is missing", at: root, in: file)
            }
            return
        }
        read(list, defaults: defaults)
    }

    private mutating func read(_ list: [YAMLNode], defaults: [String: YAMLNode]) {
        for node in list {
            guard let members = node.mapping else {
                problems.add("an entry is an object", at: node, in: file)
                continue
            }
            var values = defaults
            for member in members { values[member.key] = member.value }
            var fields = DeclaredFields(values, at: node, file: file)
            if let (entry, name) = fields.entry() {
                let key: ApplyKey =
                    name.map { .name($0) } ?? .ids(spiffeID: entry.spiffeID.text, parentID: entry.parentID.text)
                var owned = entry
                owned.id = key.entryID(owner: owner)
                entries.append(
                    DeclaredEntry(entry: owned, key: key, place: ApplyProblems.place(node.position, file)))
            }
            for text in fields.problems.texts { problems.add(text) }
        }
    }
}

/// The fields of one entry, in the words of SPIRE's own registration files.
struct DeclaredFields {
    static let keys: Set<String> = [
        "name", "spiffe_id", "parent_id", "selectors", "x509_svid_ttl", "jwt_svid_ttl", "federates_with", "admin",
        "downstream", "store_svid", "expires_at", "entryExpiry", "dns_names", "hint", "additional_attributes",
    ]
    private static let foreign: [String: String] = [
        "entry_id": "the id follows from the owner and the name", "id": "the id follows from the owner and the name",
        "revision_number": "the server counts revisions", "created_at": "the server notes it",
    ]
    /// Of a name, in bytes.
    private static let longestName = 256

    private let values: [String: YAMLNode]
    private let node: YAMLNode
    private let file: String
    private(set) var problems = ApplyProblems()

    init(_ values: [String: YAMLNode], at node: YAMLNode, file: String) {
        self.values = values.filter { !$0.value.isNull }
        self.node = node
        self.file = file
    }

    /// - Returns: `nil` when there are problems.
    mutating func entry() -> (Spire_Api_Types_Entry, name: String?)? {
        for (key, value) in values.sorted(by: { $0.key < $1.key }) where !Self.keys.contains(key) {
            let why = Self.foreign[key].map { "\(key) cannot be declared: \($0)" }
            problems.add(
                why ?? "unknown key \(GoText.quoted(key)); known are \(Self.keys.sorted().joined(separator: ", "))", at: value,
                in: file)
        }
        var entry = Spire_Api_Types_Entry()
        if let id = id("spiffe_id") { entry.spiffeID = id }
        if let id = id("parent_id") { entry.parentID = id }
        entry.selectors = selectors()
        entry.x509SvidTtl = Int32(number("x509_svid_ttl", most: Int64(Int32.max)))
        entry.jwtSvidTtl = Int32(number("jwt_svid_ttl", most: Int64(Int32.max)))
        entry.federatesWith = texts("federates_with")
        entry.admin = flag("admin", values)
        entry.downstream = flag("downstream", values)
        entry.storeSvid = flag("store_svid", values)
        if values["expires_at"] != nil, let other = values["entryExpiry"] {
            problems.add("expires_at and entryExpiry are the same; give one", at: other, in: file)
        }
        entry.expiresAt = number(values["expires_at"] == nil ? "entryExpiry" : "expires_at", most: 253_402_300_799)
        entry.dnsNames = texts("dns_names")
        entry.hint = text("hint") ?? ""
        attributes(&entry)
        let name = text("name")
        if let name, name.utf8.count > Self.longestName || name.isEmpty {
            problems.add("name must have 1 to \(Self.longestName) bytes", at: values["name"] ?? node, in: file)
        }
        return problems.isEmpty ? (entry, name) : nil
    }

    private mutating func id(_ key: String) -> Spire_Api_Types_SPIFFEID? {
        guard let value = values[key] else {
            problems.add("\(key) is missing", at: node, in: file)
            return nil
        }
        guard let text = text(key) else { return nil }
        do {
            return try Spire_Api_Types_SPIFFEID(parsing: text)
        } catch {
            problems.add("\(key) \(GoText.quoted(text)): \(error)", at: value, in: file)
            return nil
        }
    }

    /// `type:value`, or an object with both.
    private mutating func selectors() -> [Spire_Api_Types_Selector] {
        guard let value = values["selectors"], let list = value.sequence, !list.isEmpty else {
            problems.add("selectors must list at least one selector", at: values["selectors"] ?? node, in: file)
            return []
        }
        var known: Set<[UInt8]> = []
        return list.compactMap { item in
            guard let selector = selector(item) else { return nil }
            let text = "\(selector.type):\(selector.value)"
            guard known.insert(Array(text.utf8)).inserted else {
                problems.add("selector \(GoText.quoted(text)) is there twice", at: item, in: file)
                return nil
            }
            return selector
        }
    }

    private mutating func selector(_ item: YAMLNode) -> Spire_Api_Types_Selector? {
        var selector = Spire_Api_Types_Selector()
        if let text = item.text {
            guard let parsed = try? SPIRE.selector(text) else {
                problems.add("selector \(GoText.quoted(text)) must be formatted as type:value", at: item, in: file)
                return nil
            }
            selector = parsed
        } else {
            for member in item.mapping ?? [] {
                switch member.key {
                case "type": selector.type = member.value.text ?? ""
                case "value": selector.value = member.value.text ?? ""
                default: problems.add("unknown key \(GoText.quoted(member.key)) of a selector", at: member.value, in: file)
                }
            }
        }
        guard !selector.type.isEmpty, !selector.value.isEmpty, !selector.type.utf8.contains(UInt8(ascii: ":")) else {
            problems.add("a selector has a type without a colon and a value", at: item, in: file)
            return nil
        }
        return selector
    }

    private mutating func attributes(_ entry: inout Spire_Api_Types_Entry) {
        guard let value = values["additional_attributes"] else { return }
        guard let members = value.mapping else {
            return problems.add("additional_attributes is not an object", at: value, in: file)
        }
        var known: [String: YAMLNode] = [:]
        for member in members {
            known[member.key] = member.value
            if !["disable_x509_svid_prefetch", "jwt_svid_include_jti"].contains(member.key) {
                problems.add("unknown key \(GoText.quoted(member.key)) of additional_attributes", at: member.value, in: file)
            }
        }
        let disabled = flag("disable_x509_svid_prefetch", known)
        let jti = flag("jwt_svid_include_jti", known)
        if disabled || jti {
            entry.additionalAttributes.disableX509SvidPrefetch = disabled
            entry.additionalAttributes.jwtSvidIncludeJti = jti
        }
    }

    private mutating func text(_ key: String) -> String? {
        guard let value = values[key] else { return nil }
        if let text = value.text { return text }
        problems.add("\(key) is not a text", at: value, in: file)
        return nil
    }

    private mutating func texts(_ key: String) -> [String] {
        guard let value = values[key] else { return [] }
        guard let list = value.sequence else {
            problems.add("\(key) is not a list", at: value, in: file)
            return []
        }
        return list.compactMap { item in
            if let text = item.text { return text }
            problems.add("\(key) is not a list of texts", at: item, in: file)
            return nil
        }
    }

    private mutating func flag(_ key: String, _ values: [String: YAMLNode]) -> Bool {
        guard let value = values[key], !value.isNull else { return false }
        if let flag = value.bool { return flag }
        problems.add("\(key) is not true or false", at: value, in: file)
        return false
    }

    private mutating func number(_ key: String, most: Int64) -> Int64 {
        guard let value = values[key] else { return 0 }
        if let number = value.integer, number >= 0, number <= most { return number }
        problems.add("\(key) is not a whole number from 0 to \(most)", at: value, in: file)
        return 0
    }
}
