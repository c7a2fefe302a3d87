// SPDX-License-Identifier: Apache-2.0

/// What a manual page says beyond the commands themselves.
package struct ManualFacts: Sendable {
    package struct Item: Sendable {
        package let name: String
        package let text: String

        package init(_ name: String, _ text: String) {
            self.name = name
            self.text = text
        }
    }

    /// One line behind the program's name.
    package var summary = ""
    package var description = ""
    package var environment: [Item] = []
    package var files: [Item] = []
    package var signals: [Item] = []

    package init() {}
}
