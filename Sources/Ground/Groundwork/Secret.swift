// SPDX-License-Identifier: Apache-2.0

/// A value that must not be printed. Logging or interpolating it shows only that something is there.
package struct Secret<Value: Sendable>: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    private let value: Value

    package init(_ value: Value) { self.value = value }

    /// Hands the value to `body`: the one, visible way to reach it.
    package func reveal<Result>(_ body: (Value) throws -> Result) rethrows -> Result { try body(value) }

    package var description: String { "(secret)" }
    package var debugDescription: String { "(secret)" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
