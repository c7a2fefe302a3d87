// SPDX-License-Identifier: Apache-2.0

/// A JSON value as it was written: numbers keep their digits, objects the order of their members.
public enum JSONValue: Sendable, Hashable {
    case null
    case bool(Bool)
    /// The digits as they stood in the text, such as `1795223341` or `1e3`.
    case number(String)
    case string(String)
    case array([JSONValue])
    case object(JSONObject)

    /// The text of a string.
    public var string: String? { if case .string(let text) = self { text } else { nil } }
    /// The truth of a boolean.
    public var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
    /// The elements of an array.
    public var array: [JSONValue]? { if case .array(let elements) = self { elements } else { nil } }
    /// The members of an object.
    public var object: JSONObject? { if case .object(let object) = self { object } else { nil } }
    /// A number as the nearest double; `nil` beyond its range.
    public var double: Double? {
        guard case .number(let digits) = self, let value = Double(digits), value.isFinite else { return nil }
        return value
    }
    /// A number that is written as an integer of 64 bits.
    public var integer: Int64? { if case .number(let digits) = self { Int64(digits) } else { nil } }

    /// A number.
    public static func integer(_ value: Int64) -> JSONValue { .number(String(value)) }
}

/// The members of a JSON object in the order they were written. Names are unique.
public struct JSONObject: Sendable, Hashable, ExpressibleByDictionaryLiteral {
    /// One name with its value.
    public struct Member: Sendable, Hashable {
        public let name: String
        public let value: JSONValue

        public init(name: String, value: JSONValue) {
            self.name = name
            self.value = value
        }
    }

    public private(set) var members: [Member]

    public init() { members = [] }

    /// Names must differ from one another: a later member replaces an earlier one.
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        members = []
        for (name, value) in elements { self[name] = value }
    }

    init(unique members: [Member]) { self.members = members }

    /// The value of a member; setting `nil` removes it. Looks at each member in turn.
    public subscript(name: String) -> JSONValue? {
        get { members.first { $0.name == name }?.value }
        set {
            let place = members.firstIndex { $0.name == name }
            switch (place, newValue) {
            case (let place?, let value?): members[place] = Member(name: name, value: value)
            case (let place?, nil): members.remove(at: place)
            case (nil, let value?): members.append(Member(name: name, value: value))
            case (nil, nil): break
            }
        }
    }

    /// Two objects are equal when they have the same members, in whatever order.
    public static func == (a: JSONObject, b: JSONObject) -> Bool {
        guard a.members.count == b.members.count else { return false }
        let other = Dictionary(b.members.map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })
        return a.members.allSatisfy { other[$0.name] == $0.value }
    }

    public func hash(into hasher: inout Hasher) { hasher.combine(members.count) }
}
