// SPDX-License-Identifier: Apache-2.0

import CLISupport
import SPIFFE

/// An object whose keys match whatever their case, whose unknown keys do not matter and whose nulls count as absent.
struct LooseObject {
    private let members: [String: JSONValue]

    init(_ value: JSONValue, _ what: String) throws {
        guard let object = value.object else { throw CommandFailure("\(what) is not a JSON object") }
        members = Dictionary(object.members.map { ($0.name.lowercased(), $0.value) }, uniquingKeysWith: { $1 })
    }

    subscript(name: String) -> JSONValue? {
        guard let value = members[name.lowercased()], value != .null else { return nil }
        return value
    }

    func string(_ name: String) throws -> String {
        try read(name, "a string", or: "") { $0.string }
    }

    func bool(_ name: String) throws -> Bool {
        try read(name, "true or false", or: false) { $0.bool }
    }

    func number<Number: FixedWidthInteger>(_ name: String) throws -> Number {
        try read(name, "a whole number of \(Number.bitWidth) bits", or: 0) { $0.integer.flatMap { Number(exactly: $0) } }
    }

    func list(_ name: String) throws -> [JSONValue] {
        try read(name, "a list", or: []) { $0.array }
    }

    func strings(_ name: String) throws -> [String] {
        try list(name).map { value in
            guard let text = value.string else { throw CommandFailure("\(name) is not a list of strings") }
            return text
        }
    }

    private func read<Value>(
        _ name: String, _ what: String, or absent: Value, _ take: (JSONValue) -> Value?
    ) throws -> Value {
        guard let value = self[name] else { return absent }
        guard let taken = take(value) else { throw CommandFailure("\(name) is not \(what)") }
        return taken
    }
}
