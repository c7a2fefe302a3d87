// SPDX-License-Identifier: Apache-2.0

/// A place in a configuration text.
package struct HCLPosition: Sendable, Hashable, CustomStringConvertible {
    /// Counted from 1.
    package var line: Int
    /// Counted from 1, in characters (Unicode scalars).
    package var column: Int

    package init(line: Int, column: Int) {
        self.line = line
        self.column = column
    }

    /// `line:column`.
    package var description: String { "\(line):\(column)" }
}

/// A text that is not HCL, and where it stops being HCL.
package struct HCLError: Error, Sendable, Hashable, CustomStringConvertible {
    package let position: HCLPosition
    /// What is wrong, without the position.
    package let message: String

    package init(_ position: HCLPosition, _ message: String) {
        self.position = position
        self.message = message
    }

    /// `At line:column: message`, the wording operators know.
    package var description: String { "At \(position): \(message)" }
}
