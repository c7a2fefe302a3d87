// SPDX-License-Identifier: Apache-2.0

extension FlagSet {
    /// A flag as manuals and completions show it.
    package struct Description: Sendable, Hashable {
        /// Without the dash.
        package let name: String
        /// The word for its value; empty for booleans.
        package let kind: String
        package let help: String
        /// As Go writes it; empty for a zero value.
        package let shownDefault: String
        package let isBool: Bool
    }
}
