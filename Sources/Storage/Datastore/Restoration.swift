// SPDX-License-Identifier: Apache-2.0

/// A datastore was put back to what it held at an earlier moment. What was issued in between is unknown to it.
package struct Restoration: Sendable, Hashable {
    /// When the backup was taken, in Unix seconds.
    package var takenAt: Int64
    /// When it was put in the place of the state, in Unix seconds.
    package var restoredAt: Int64

    package init(takenAt: Int64, restoredAt: Int64) {
        self.takenAt = takenAt
        self.restoredAt = restoredAt
    }
}
