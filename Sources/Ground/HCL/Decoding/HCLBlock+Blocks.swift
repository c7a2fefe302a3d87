// SPDX-License-Identifier: Apache-2.0

/// A block with a label, such as `federates_with "other.test" { … }`.
package struct HCLLabelledBlock {
    package let label: HCLKey
    package let block: HCLBlock
}

extension HCLBlock {
    /// A block; repeated ones merge into one. Written as `key { }`, `key = { }`, or in JSON also as a list of objects.
    package func block(_ key: String) -> HCLBlock? {
        let name = fullName(key)
        var merged: [HCLItem] = []
        var position: HCLPosition?
        for match in matches(key) {
            if match.labels.isEmpty {
                guard let objects = objects(match.item.value) else {
                    mistyped(name, match.item.value, wanted: "a block, { … }")
                    continue
                }
                merged.append(contentsOf: objects.flatMap(\.items))
            } else {
                merged.append(HCLItem(Array(match.labels), match.item.value))
            }
            position = position ?? match.item.keys.first?.position
        }
        return position.map { HCLBlock(merged, path: name, position: $0, diagnostics: diagnostics) }
    }

    /// Blocks that make a list: `key { }` repeated, or `key = [{ }, { }]`. Paths carry the index, `key[0]`.
    package func blocks(_ key: String) -> [HCLBlock] {
        let name = fullName(key)
        var found: [HCLObject] = []
        for match in matches(key) {
            guard match.labels.isEmpty, let objects = objects(match.item.value) else {
                mistyped(name, match.item.value, wanted: "a list of blocks, [{ … }]")
                continue
            }
            found.append(contentsOf: objects)
        }
        return found.enumerated().map { index, object in
            HCLBlock(object.items, path: "\(name)[\(index)]", position: object.position, diagnostics: diagnostics)
        }
    }

    /// Blocks with one label each, in source order, not merged: `key "label" { }`, `key { label { } }`, or in JSON
    /// lists of objects at either level. `nil` when the key is absent.
    package func labelled(_ key: String) -> [HCLLabelledBlock]? {
        let name = fullName(key)
        let matches = matches(key)
        guard !matches.isEmpty else { return nil }
        return matches.flatMap { match in
            labelled(name, labels: match.labels, value: match.item.value, position: match.item.value.position)
        }
    }

    func labelled(
        _ name: String, labels: ArraySlice<HCLKey>, value: HCLNode, position: HCLPosition
    ) -> [HCLLabelledBlock] {
        if let label = labels.first {
            let path = "\(name).\"\(label.text)\""
            if labels.count > 1 {
                let inner = [HCLItem(Array(labels.dropFirst()), value)]
                return [
                    HCLLabelledBlock(
                        label: label,
                        block: HCLBlock(inner, path: path, position: position, diagnostics: diagnostics))
                ]
            }
            guard let objects = objects(value) else {
                mistyped(path, value, wanted: "a block, { … }")
                return []
            }
            return objects.map { object in
                HCLLabelledBlock(
                    label: label,
                    block: HCLBlock(object.items, path: path, position: label.position, diagnostics: diagnostics))
            }
        }
        guard let objects = objects(value) else {
            mistyped(name, value, wanted: "a block with a label, \(name) \"…\" { … }")
            return []
        }
        return objects.flatMap(\.items).flatMap { item -> [HCLLabelledBlock] in
            if case .literal(let literal) = item.value, literal.kind == .null { return [] }
            return labelled(name, labels: item.keys[...], value: item.value, position: item.value.position)
        }
    }

    /// The one object a value is, or the objects a list holds; `nil` when it is something else.
    private func objects(_ node: HCLNode) -> [HCLObject]? {
        switch node {
        case .object(let object): return [object]
        case .list(let list):
            var objects: [HCLObject] = []
            for element in list.elements {
                guard case .object(let object) = element else { return nil }
                objects.append(object)
            }
            return objects
        case .literal: return nil
        }
    }

    /// The whole of a block as a tree, repeated ones merged, for whoever decodes it later.
    package func tree(_ key: String) -> HCLObject? {
        block(key).map { HCLObject($0.items, at: $0.position) }
    }
}

extension HCLBlock {
    /// The labels of a key when it is written as labelled blocks, `key "label" { }`; `nil` when it is anything else.
    package func labels(of key: String) -> [String]? {
        let matches = matches(key)
        guard !matches.isEmpty else { return nil }
        var labels: [String] = []
        for match in matches {
            if let label = match.labels.first {
                labels.append(label.text)
            } else if let objects = objects(match.item.value) {
                labels.append(contentsOf: objects.flatMap(\.items).compactMap(\.keys.first?.text))
            } else {
                return nil
            }
        }
        return labels
    }
}
