// SPDX-License-Identifier: Apache-2.0

/// A place in a text, both counted from 1. Line 0 means the text's places are not known.
package struct YAMLPosition: Sendable, Hashable, CustomStringConvertible {
    package let line: Int
    package let column: Int

    package init(line: Int, column: Int) {
        self.line = line
        self.column = column
    }

    package var description: String { line == 0 ? "" : "line \(line), column \(column)" }
}

/// A value of a document. What a plain scalar means (a number, a truth value, nothing) is decided by who reads it.
package struct YAMLNode: Sendable, Hashable {
    package enum Content: Sendable, Hashable {
        /// - isPlain: Written without quotes and not as a block, so that it may stand for something else than text.
        case scalar(String, isPlain: Bool)
        case sequence([YAMLNode])
        /// Keys are unique.
        case mapping([Member])
    }

    package struct Member: Sendable, Hashable {
        package let key: String
        package let keyPosition: YAMLPosition
        package let value: YAMLNode

        package init(_ key: String, at position: YAMLPosition, _ value: YAMLNode) {
            self.key = key
            self.keyPosition = position
            self.value = value
        }
    }

    package let content: Content
    package let position: YAMLPosition

    package init(_ content: Content, at position: YAMLPosition) {
        self.content = content
        self.position = position
    }

    /// Nothing: a plain scalar that is empty, `~` or `null`.
    package var isNull: Bool {
        guard case .scalar(let text, isPlain: true) = content else { return false }
        return text.isEmpty || text == "~" || text == "null" || text == "Null" || text == "NULL"
    }

    /// The text of a scalar that is not nothing; numbers and truth values as they are written.
    package var text: String? {
        guard case .scalar(let text, _) = content, !isNull else { return nil }
        return text
    }

    /// `true` or `false`, unquoted. `yes`, `on` and their like are texts, as in YAML 1.2.
    /// > Spec: YAML 1.2.2 §10.3.
    package var bool: Bool? {
        guard case .scalar(let text, isPlain: true) = content else { return nil }
        switch text {
        case "true", "True", "TRUE": return true
        case "false", "False", "FALSE": return false
        default: return nil
        }
    }

    /// A decimal whole number, unquoted.
    package var integer: Int64? {
        guard case .scalar(let text, isPlain: true) = content, !text.hasPrefix("+") else { return nil }
        return Int64(text)
    }

    package var sequence: [YAMLNode]? {
        if case .sequence(let nodes) = content { nodes } else { nil }
    }

    package var mapping: [Member]? {
        if case .mapping(let members) = content { members } else { nil }
    }
}
