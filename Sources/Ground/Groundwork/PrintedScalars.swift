// SPDX-License-Identifier: Apache-2.0

// Which characters of a text that came from outside can stand in a terminal and in quotes as they are.

extension Unicode.Scalar {
    /// C0, DEL and C1, the separators of lines and paragraphs, and what overrides, embeds or marks a direction.
    package var steersTerminal: Bool {
        guard value >= 0x7F else { return value < 0x20 }
        switch properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator: return true
        default: return properties.isBidiControl
        }
    }

    /// Letters, marks, numbers, punctuation and symbols: what Go's quoting leaves as it is, but for the space.
    package var isGraphic: Bool {
        switch properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator,
            .spaceSeparator:
            false
        default: true
        }
    }
}
