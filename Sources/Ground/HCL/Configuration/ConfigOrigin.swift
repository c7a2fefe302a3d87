// SPDX-License-Identifier: Apache-2.0

/// Where one resolved configuration value came from.
package struct ConfigOrigin: Sendable, Hashable, CustomStringConvertible {
    package enum Source: String, Sendable, Hashable {
        case flag, environment, file, `default`
    }

    /// `section.key`.
    package let key: String
    /// The value as text. Secrets read `(secret)`.
    package let value: String
    package let source: Source
    /// The place in the file, for `file`.
    package let position: HCLPosition?

    package init(key: String, value: String, source: Source, position: HCLPosition? = nil) {
        self.key = key
        self.value = value
        self.source = source
        self.position = position
    }

    /// `key = value  # source`.
    package var description: String {
        "\(key) = \(value)  # \(source.rawValue)\(position.map { " \($0)" } ?? "")"
    }
}
