// SPDX-License-Identifier: Apache-2.0

/// One word of an HCL text.
struct HCLToken {
    /// Raw values are the names operators know from error messages.
    enum Kind: String {
        case end = "EOF"
        case identifier = "IDENT"
        case number = "NUMBER"
        case float = "FLOAT"
        case bool = "BOOL"
        case string = "STRING"
        case heredoc = "HEREDOC"
        case leftBracket = "LBRACK"
        case leftBrace = "LBRACE"
        case comma = "COMMA"
        case period = "PERIOD"
        case rightBracket = "RBRACK"
        case rightBrace = "RBRACE"
        case assign = "ASSIGN"
        case add = "ADD"
        case subtract = "SUB"
    }

    let kind: Kind
    /// The value of a string or heredoc, the source text of everything else.
    let text: String
    /// As written, with quotes and escapes.
    let source: String
    let position: HCLPosition

    /// The token as a value, if it is a scalar.
    var literal: HCLLiteral? {
        switch kind {
        case .number: HCLLiteral(.number, text, at: position)
        case .float: HCLLiteral(.float, text, at: position)
        case .bool: HCLLiteral(.bool, text, at: position)
        case .string, .heredoc: HCLLiteral(.string, text, at: position)
        default: nil
        }
    }
}
