// SPDX-License-Identifier: Apache-2.0

/// A decoded value and where it was written.
package struct HCLSetting<Value> {
    package let value: Value
    /// `section.key`.
    package let key: String
    package let position: HCLPosition

    package init(_ value: Value, key: String, position: HCLPosition) {
        self.value = value
        self.key = key
        self.position = position
    }
}

extension HCLSetting: Sendable where Value: Sendable {}
