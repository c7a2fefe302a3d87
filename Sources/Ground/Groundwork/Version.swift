// SPDX-License-Identifier: Apache-2.0

/// Which release this is.
package enum Version {
    /// The SPIRE line this release is compatible with; stored as `code_version` in the datastore.
    package static let number = "1.16.0"
    /// What `--version` prints and agents report.
    package static let text = "1.16.0-dev-swift"
}
