// SPDX-License-Identifier: Apache-2.0

extension HCLBlock {
    /// A text. Numbers count as text.
    package func string(_ key: String) -> HCLSetting<String>? {
        scalar(key, wanted: "a string in quotes") { literal in
            switch literal.kind {
            case .string, .number, .float: .value(literal.text)
            case .bool, .null: .wrongType
            }
        }
    }

    /// A whole number; in quotes is as good.
    package func int(_ key: String) -> HCLSetting<Int>? {
        scalar(key, wanted: "a whole number, such as 8081") { literal in
            switch literal.kind {
            case .string, .number:
                switch HCLNumber.int(literal.text) {
                case .success(let value): .value(value)
                case .failure(let error): .reason(error.description)
                }
            case .float, .bool, .null: .wrongType
            }
        }
    }

    /// A boolean: `true`, `false`, `1` or `0`, in quotes or not.
    package func bool(_ key: String) -> HCLSetting<Bool>? {
        scalar(key, wanted: "true or false") { literal in
            guard literal.kind != .float, literal.kind != .null else { return .wrongType }
            switch literal.text.lowercased() {
            case "1", "true": return .value(true)
            case "0", "false": return .value(false)
            default:
                let text = literal.kind == .string ? "\"\(literal.text)\"" : literal.text
                return .reason("decodeBool: Unknown value for boolean: \(text)")
            }
        }
    }

    /// A list of texts.
    package func strings(_ key: String) -> HCLSetting<[String]>? {
        let name = fullName(key)
        var values: [String]?
        var position: HCLPosition?
        for match in matches(key) {
            guard case .list(let list) = match.item.value, match.labels.isEmpty else {
                mistyped(name, match.item.value, wanted: "a list of strings, such as [\"a\", \"b\"]")
                return nil
            }
            for element in list.elements {
                guard case .literal(let literal) = element, literal.kind != .bool, literal.kind != .null else {
                    mistyped(name, element, wanted: "a list of strings")
                    return nil
                }
                values = (values ?? []) + [literal.text]
            }
            values = values ?? []
            position = match.item.keys.first?.position
        }
        guard let values, let position else { return nil }
        return HCLSetting(values, key: name, position: position)
    }

    private enum Reading<Value> {
        case value(Value)
        case wrongType
        case reason(String)
    }

    private func scalar<Value>(
        _ key: String, wanted: String, _ read: (HCLLiteral) -> Reading<Value>
    ) -> HCLSetting<Value>? {
        guard let match = matches(key).last else { return nil }
        let name = fullName(key)
        guard case .literal(let literal) = match.item.value, match.labels.isEmpty else {
            mistyped(name, match.item.value, wanted: wanted)
            return nil
        }
        switch read(literal) {
        case .value(let value): return HCLSetting(value, key: name, position: literal.position)
        case .wrongType: mistyped(name, match.item.value, wanted: wanted)
        case .reason(let reason): diagnostics.mistyped(name, reason, wanted: wanted, at: literal.position)
        }
        return nil
    }

    func mistyped(_ name: String, _ node: HCLNode, wanted: String) {
        diagnostics.mistyped(
            name, "At \(node.position): wrong type, got \(node.kindName)", wanted: wanted, at: node.position)
    }
}
