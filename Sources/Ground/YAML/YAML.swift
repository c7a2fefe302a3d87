// SPDX-License-Identifier: Apache-2.0

/// What is wrong with a text, and where.
package struct YAMLError: Error, Sendable, Hashable, CustomStringConvertible {
    package let message: String
    package let position: YAMLPosition

    package init(_ message: String, at position: YAMLPosition) {
        self.message = message
        self.position = position
    }

    package var description: String { position.line == 0 ? message : "\(position): \(message)" }
}

/// Reads YAML texts, of one or several documents.
package enum YAML {
    /// Bounds on what a text may make of the reader's memory and time.
    package struct Limits: Sendable {
        /// Of the text, in bytes.
        package var bytes = 64 << 20
        /// Scalars, sequences and mappings together.
        package var nodes = 4_000_000
        /// How deep sequences and mappings may nest.
        package var depth = 32
        /// Of one scalar, in bytes.
        package var scalar = 64 << 10

        package init() {}
    }

    /// Reads all documents of a text.
    ///
    /// Anchors, aliases, tags and merge keys are refused: none is needed in a list of entries, and each makes the
    /// meaning of a line depend on another place. Repeated keys are refused, since two readers may differ on which counts.
    /// - Returns: the documents' roots; empty ones are left out.
    /// - Throws: `YAMLError`.
    package static func documents(
        _ text: [UInt8], limits: Limits = Limits()
    ) throws(YAMLError) -> [YAMLNode] {
        guard text.count <= limits.bytes else {
            throw YAMLError("the text is larger than \(limits.bytes) bytes", at: YAMLPosition(line: 0, column: 0))
        }
        guard String(validating: text, as: UTF8.self) != nil else {
            throw YAMLError("the text is not UTF-8", at: YAMLPosition(line: 0, column: 0))
        }
        let reader = EventReader(text)
        var builder = TreeBuilder(reader: reader, limits: limits)
        return try builder.documents()
    }
}

/// What libyaml tells, in order.
enum YAMLEvent {
    case documentStart, documentEnd, sequenceStart, sequenceEnd, mappingStart, mappingEnd, end
    case scalar(String, isPlain: Bool)
}

/// Makes trees of events.
private struct TreeBuilder {
    let reader: EventReader
    let limits: YAML.Limits
    private var count = 0

    init(reader: EventReader, limits: YAML.Limits) {
        self.reader = reader
        self.limits = limits
    }

    mutating func documents() throws(YAMLError) -> [YAMLNode] {
        var found: [YAMLNode] = []
        while true {
            let (event, _) = try reader.next(limits)
            switch event {
            case .end: return found
            case .documentStart:
                let (first, position) = try reader.next(limits)
                let root = try node(first, position, depth: 0)
                if !root.isNull { found.append(root) }
            default: break
            }
        }
    }

    private mutating func node(
        _ event: YAMLEvent, _ position: YAMLPosition, depth: Int
    ) throws(YAMLError) -> YAMLNode {
        count += 1
        guard count <= limits.nodes else { throw YAMLError("more than \(limits.nodes) values", at: position) }
        switch event {
        case .scalar(let text, let isPlain): return YAMLNode(.scalar(text, isPlain: isPlain), at: position)
        case .sequenceStart:
            try check(depth, position)
            var nodes: [YAMLNode] = []
            while true {
                let (next, place) = try reader.next(limits)
                if case .sequenceEnd = next { return YAMLNode(.sequence(nodes), at: position) }
                nodes.append(try node(next, place, depth: depth + 1))
            }
        case .mappingStart:
            try check(depth, position)
            return YAMLNode(.mapping(try members(depth: depth)), at: position)
        default: throw YAMLError("a value is expected", at: position)
        }
    }

    private func check(_ depth: Int, _ position: YAMLPosition) throws(YAMLError) {
        guard depth < limits.depth else { throw YAMLError("nested deeper than \(limits.depth)", at: position) }
    }

    private mutating func members(depth: Int) throws(YAMLError) -> [YAMLNode.Member] {
        var members: [YAMLNode.Member] = []
        var known: Set<String> = []
        while true {
            let (next, place) = try reader.next(limits)
            if case .mappingEnd = next { return members }
            guard case .scalar(let key, let isPlain) = next else {
                throw YAMLError("a key must be a plain word", at: place)
            }
            if isPlain, key == "<<" { throw YAMLError("merge keys are not supported; write the keys out", at: place) }
            guard known.insert(key).inserted else { throw YAMLError("the key \(key.debugDescription) is there twice", at: place) }
            let (value, position) = try reader.next(limits)
            members.append(YAMLNode.Member(key, at: place, try node(value, position, depth: depth + 1)))
        }
    }
}
