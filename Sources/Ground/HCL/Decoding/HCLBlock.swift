// SPDX-License-Identifier: Apache-2.0

/// One section of a configuration while it is decoded.
///
/// Every accessor names a key, which thereby becomes known; `finish` reports the keys nobody asked for. Key names are
/// matched in any case. Of repeated keys the last wins, repeated blocks merge. A value of the wrong type is reported
/// and reads as absent, as does JSON's `null`.
package final class HCLBlock {
    /// `server.ca_subject`; empty for the whole file.
    package let path: String
    package let position: HCLPosition
    package let diagnostics: HCLDiagnostics
    let items: [HCLItem]
    private var known: [String] = []

    /// The whole of a file.
    package convenience init(_ root: HCLObject, path: String = "", diagnostics: HCLDiagnostics) {
        self.init(root.items, path: path, position: root.position, diagnostics: diagnostics)
    }

    init(_ items: [HCLItem], path: String, position: HCLPosition, diagnostics: HCLDiagnostics) {
        self.items = items
        self.path = path
        self.position = position
        self.diagnostics = diagnostics
    }

    /// `path.key`.
    package func fullName(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

    /// Whether the block says nothing at all.
    package var isEmpty: Bool { items.isEmpty }

    /// Every key asked for so far.
    package var knownKeys: [String] { known }

    /// Marks keys as known without reading them.
    package func know(_ keys: String...) { known.append(contentsOf: keys) }

    /// Reports the keys that no accessor named.
    ///
    /// - Parameters:
    ///   - section: What SPIRE's log calls this block.
    ///   - isTolerant: Only logs them: for the blocks in which SPIRE lets unknown keys pass.
    package func finish(section: String, isTolerant: Bool = false) {
        let names = Set(known.map { $0.lowercased() })
        var seen: Set<String> = []
        let stray = items.compactMap(\.keys.first).filter { key in
            !names.contains(key.text.lowercased()) && seen.insert(key.text).inserted
        }
        guard !stray.isEmpty else { return }
        diagnostics.unknown(stray, in: section, path: path, known: known, isTolerated: isTolerant)
    }

    /// The items of a key, each with the key taken off, absent ones left out.
    func matches(_ key: String) -> [(item: HCLItem, labels: ArraySlice<HCLKey>)] {
        known.append(key)
        let name = key.lowercased()
        return items.compactMap { item in
            guard let first = item.keys.first, first.text.lowercased() == name else { return nil }
            if case .literal(let literal) = item.value, literal.kind == .null { return nil }
            return (item, item.keys.dropFirst())
        }
    }

    /// Where a key is set first, if it is. A dotted key leads into blocks: `server.ca_subject`. Makes nothing known.
    package func place(of key: String) -> HCLPosition? {
        let parts = key.split(separator: ".", maxSplits: 1)
        guard let name = parts.first?.lowercased() else { return nil }
        for item in items where item.keys.first?.text.lowercased() == name {
            guard parts.count > 1 else { return item.keys.first?.position }
            var objects: [HCLObject] = []
            if case .object(let object) = item.value { objects = [object] }
            if case .list(let list) = item.value {
                objects = list.elements.compactMap { if case .object(let object) = $0 { object } else { nil } }
            }
            for object in objects {
                let inner = HCLBlock(object.items, path: "", position: object.position, diagnostics: diagnostics)
                if let place = inner.place(of: String(parts[1])) { return place }
            }
        }
        return nil
    }
}
