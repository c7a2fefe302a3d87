// SPDX-License-Identifier: Apache-2.0

/// Builds the tree of an HCL text. Accepts what HCL 1 accepts, in its words where it refuses.
struct HCLParser {
    private var scanner: HCLScanner
    private let limits: HCL.Limits
    private var token = HCLToken(kind: .end, text: "", source: "", position: HCLPosition(line: 1, column: 1))
    private var isBuffered = false
    private var depth = 0

    init(_ source: [UInt8], limits: HCL.Limits) {
        scanner = HCLScanner(source)
        self.limits = limits
    }

    mutating func parse() throws(HCLError) -> HCLObject {
        HCLObject(try items(inBraces: false), at: HCLPosition(line: 1, column: 1))
    }

    private mutating func scan() throws(HCLError) -> HCLToken {
        if isBuffered {
            isBuffered = false
        } else {
            token = try scanner.next()
        }
        return token
    }

    private mutating func unscan() { isBuffered = true }

    /// Runs `body` one level further in.
    private mutating func nested<Result>(
        _ body: (inout HCLParser) throws(HCLError) -> Result
    ) throws(HCLError) -> Result {
        guard depth < limits.depth else {
            throw HCLError(token.position, "more than \(limits.depth) blocks and lists inside one another")
        }
        depth += 1
        defer { depth -= 1 }
        return try body(&self)
    }

    private mutating func items(inBraces: Bool) throws(HCLError) -> [HCLItem] {
        var items: [HCLItem] = []
        var assigned: Set<String> = []
        while true {
            if inBraces {
                let next = try scan()
                unscan()
                if next.kind == .rightBrace { return items }
            }
            guard let item = try item(&assigned) else { return items }
            items.append(item)
            if try scan().kind != .comma { unscan() }
        }
    }

    /// One `key = value` or block; `nil` at the end of the text.
    private mutating func item(_ assigned: inout Set<String>) throws(HCLError) -> HCLItem? {
        var keys: [HCLToken] = []
        while true {
            let next = try scan()
            switch next.kind {
            case .identifier, .string:
                keys.append(next)
                continue
            case .end where keys.isEmpty:
                return nil
            case .assign:
                guard keys.count < 2 else {
                    throw HCLError(next.position, "nested object expected: LBRACE got: \(next.kind.rawValue)")
                }
                guard let key = keys.first else { throw HCLError(next.position, "no object keys found!") }
                guard assigned.insert(key.source).inserted || !limits.refusesRepeatedArguments else {
                    throw HCLError(key.position, Self.repeated(key))
                }
                return HCLItem(Self.keys(keys), try value())
            case .leftBrace:
                guard !keys.isEmpty else {
                    throw HCLError(next.position, "expected: IDENT | STRING got: \(next.kind.rawValue)")
                }
                return HCLItem(Self.keys(keys), .object(try object(next.position)))
            case .end,
                .rightBrace where !keys.isEmpty:
                let text = keys.map(\.source).joined(separator: " ")
                throw HCLError(
                    next.position, "key '\(text)' expected start of object ('{') or assignment ('=')")
            default:
                throw HCLError(
                    next.position, "expected: IDENT | STRING | ASSIGN | LBRACE got: \(next.kind.rawValue)")
            }
        }
    }

    private static func repeated(_ key: HCLToken) -> String {
        let quoted = key.source.map { $0 == "\"" || $0 == "\\" ? "\\\($0)" : String($0) }.joined()
        return """
            The argument "\(quoted)" at \(key.position) was already set. Each argument can only be defined once
            """
    }

    private static func keys(_ tokens: [HCLToken]) -> [HCLKey] {
        tokens.map { HCLKey($0.text, at: $0.position) }
    }

    /// What follows an equals sign.
    private mutating func value() throws(HCLError) -> HCLNode {
        let next = try scan()
        if let literal = next.literal { return .literal(literal) }
        switch next.kind {
        case .leftBrace: return .object(try object(next.position))
        case .leftBracket: return .list(try list(next.position))
        default:
            throw HCLError(
                next.position, "Unknown token: \(next.position) \(next.kind.rawValue) \(next.text)")
        }
    }

    private mutating func object(_ start: HCLPosition) throws(HCLError) -> HCLObject {
        let items = try nested { parser throws(HCLError) in try parser.items(inBraces: true) }
        let end = try scan()
        guard end.kind == .rightBrace else {
            throw HCLError(end.position, "object expected closing RBRACE got: \(end.kind.rawValue)")
        }
        return HCLObject(items, at: start)
    }

    private mutating func list(_ start: HCLPosition) throws(HCLError) -> HCLList {
        try nested { parser throws(HCLError) in try parser.elements(start) }
    }

    private mutating func elements(_ start: HCLPosition) throws(HCLError) -> HCLList {
        var elements: [HCLNode] = []
        var needsComma = false
        while true {
            let next = try scan()
            if needsComma, next.kind != .comma, next.kind != .rightBracket {
                throw HCLError(
                    next.position, "error parsing list, expected comma or list end, got: \(next.kind.rawValue)")
            }
            if let literal = next.literal {
                elements.append(.literal(literal))
                needsComma = true
                continue
            }
            switch next.kind {
            case .comma:
                needsComma = false
            case .leftBrace:
                elements.append(.object(try object(next.position)))
                needsComma = true
            case .leftBracket:
                // No comma is needed after an inner list: HCL 1 reads `[[1] [2]]`.
                elements.append(.list(try list(next.position)))
            case .rightBracket:
                return HCLList(elements, at: start)
            default:
                throw HCLError(next.position, "unexpected token while parsing list: \(next.kind.rawValue)")
            }
        }
    }
}
