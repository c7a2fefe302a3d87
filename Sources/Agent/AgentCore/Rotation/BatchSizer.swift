// SPDX-License-Identifier: Apache-2.0

/// How many certificates are asked for in one call: halved when a call fails, doubled when one succeeds.
package struct BatchSizer: Sendable {
    package static let maximum = 500
    package private(set) var size = BatchSizer.maximum

    package init() {}

    package mutating func succeeded() { size = min(size * 2, Self.maximum) }
    package mutating func failed() { size = max(size / 2, 1) }
}
