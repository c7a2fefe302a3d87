// SPDX-License-Identifier: Apache-2.0

import CYAML

/// libyaml's parser over a text it keeps alive. Events are copied out before they are freed.
final class EventReader {
    /// The parser keeps pointers to itself and to the text, so both stay in one place.
    private let parser: UnsafeMutablePointer<yaml_parser_t>
    private let text: UnsafeMutableBufferPointer<UInt8>
    private var isReady: Bool

    init(_ bytes: [UInt8]) {
        text = .allocate(capacity: max(bytes.count, 1))
        _ = text.initialize(from: bytes)
        parser = .allocate(capacity: 1)
        isReady = yaml_parser_initialize(parser) == 1
        if isReady {
            yaml_parser_set_input_string(parser, text.baseAddress, bytes.count)
            yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
        }
    }

    deinit {
        if isReady { yaml_parser_delete(parser) }
        parser.deallocate()
        text.deallocate()
    }

    /// The next event and where it begins.
    func next(_ limits: YAML.Limits) throws(YAMLError) -> (YAMLEvent, YAMLPosition) {
        guard isReady else { throw YAMLError("out of memory", at: YAMLPosition(line: 0, column: 0)) }
        while true {
            var event = yaml_event_t()
            guard yaml_parser_parse(parser, &event) == 1 else { throw failure() }
            defer { yaml_event_delete(&event) }
            let position = YAMLPosition(line: Self.place(event.start_mark.line), column: Self.place(event.start_mark.column))
            switch event.type {
            case YAML_NO_EVENT, YAML_STREAM_END_EVENT: return (.end, position)
            case YAML_DOCUMENT_START_EVENT: return (.documentStart, position)
            case YAML_DOCUMENT_END_EVENT: return (.documentEnd, position)
            case YAML_SEQUENCE_START_EVENT:
                try refuse(event.data.sequence_start.anchor, event.data.sequence_start.tag, position)
                return (.sequenceStart, position)
            case YAML_SEQUENCE_END_EVENT: return (.sequenceEnd, position)
            case YAML_MAPPING_START_EVENT:
                try refuse(event.data.mapping_start.anchor, event.data.mapping_start.tag, position)
                return (.mappingStart, position)
            case YAML_MAPPING_END_EVENT: return (.mappingEnd, position)
            case YAML_ALIAS_EVENT:
                throw YAMLError("aliases are not supported; write the value out", at: position)
            case YAML_SCALAR_EVENT:
                let scalar = event.data.scalar
                try refuse(scalar.anchor, scalar.tag, position)
                guard scalar.length <= limits.scalar else {
                    throw YAMLError("a value is longer than \(limits.scalar) bytes", at: position)
                }
                let bytes = UnsafeBufferPointer(start: scalar.value, count: scalar.length)
                return (
                    .scalar(
                        String(decoding: bytes, as: UTF8.self), isPlain: scalar.style == YAML_PLAIN_SCALAR_STYLE),
                    position
                )
            default: continue
            }
        }
    }

    private func refuse(
        _ anchor: UnsafeMutablePointer<yaml_char_t>?, _ tag: UnsafeMutablePointer<yaml_char_t>?,
        _ position: YAMLPosition
    ) throws(YAMLError) {
        if anchor != nil { throw YAMLError("anchors are not supported", at: position) }
        if tag != nil { throw YAMLError("tags are not supported", at: position) }
    }

    private func failure() -> YAMLError {
        let mark = parser.pointee.problem_mark
        let problem = parser.pointee.problem.map { String(cString: $0) } ?? "it cannot be read"
        return YAMLError(problem, at: YAMLPosition(line: Self.place(mark.line), column: Self.place(mark.column)))
    }

    /// libyaml counts from 0.
    private static func place(_ number: Int) -> Int { number + 1 }
}
