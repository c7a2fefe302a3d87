// SPDX-License-Identifier: Apache-2.0

/// One flag's value, read after parsing.
package final class Flag<Value> {
    package fileprivate(set) var value: Value
    package fileprivate(set) var isSet = false

    init(_ value: Value) { self.value = value }

    func assign(_ value: Value) {
        self.value = value
        isSet = true
    }
}

/// What is wrong with a command line.
package struct FlagError: Error, Sendable, CustomStringConvertible {
    package let message: String
    package var description: String { message }
}
