// SPDX-License-Identifier: Apache-2.0

/// A value of a configuration text: a literal, a list or an object.
package enum HCLNode: Sendable, Hashable {
    case literal(HCLLiteral)
    case list(HCLList)
    case object(HCLObject)

    /// Where the value begins.
    package var position: HCLPosition {
        switch self {
        case .literal(let literal): literal.position
        case .list(let list): list.position
        case .object(let object): object.position
        }
    }

    /// What the value is, in the words of error messages.
    package var kindName: String {
        switch self {
        case .literal(let literal): literal.kind.rawValue
        case .list: "a list"
        case .object: "a block"
        }
    }
}

/// A scalar value.
package struct HCLLiteral: Sendable, Hashable {
    /// How the scalar was written. Raw values are the words of error messages.
    package enum Kind: String, Sendable, Hashable {
        case string = "a string"
        /// A whole number: decimal, `0x` hexadecimal or `0` octal.
        case number = "a number"
        /// A number with a fraction or an exponent.
        case float = "a number with a fraction"
        case bool = "a boolean"
        /// JSON only: stands for a value that is not there.
        case null = "null"
    }

    package let kind: Kind
    /// The value of a string (escapes resolved, `${}` untouched); the source text of everything else.
    package let text: String
    package let position: HCLPosition

    package init(_ kind: Kind, _ text: String, at position: HCLPosition) {
        self.kind = kind
        self.text = text
        self.position = position
    }
}

/// A list of values, `[a, b]`.
package struct HCLList: Sendable, Hashable {
    package let elements: [HCLNode]
    package let position: HCLPosition

    package init(_ elements: [HCLNode], at position: HCLPosition) {
        self.elements = elements
        self.position = position
    }
}

/// An object, `{ … }`, in source order. Keys may repeat.
package struct HCLObject: Sendable, Hashable {
    package let items: [HCLItem]
    package let position: HCLPosition

    package init(_ items: [HCLItem], at position: HCLPosition) {
        self.items = items
        self.position = position
    }
}

/// One key of an object.
package struct HCLKey: Sendable, Hashable {
    package let text: String
    package let position: HCLPosition

    package init(_ text: String, at position: HCLPosition) {
        self.text = text
        self.position = position
    }
}

/// One entry of an object: `key = value`, or a block with its labels, `key "label" { … }`.
package struct HCLItem: Sendable, Hashable {
    /// The key, then the labels. Never empty.
    package let keys: [HCLKey]
    package let value: HCLNode

    package init(_ keys: [HCLKey], _ value: HCLNode) {
        self.keys = keys
        self.value = value
    }
}
