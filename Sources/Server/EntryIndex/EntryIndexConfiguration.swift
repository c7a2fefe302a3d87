// SPDX-License-Identifier: Apache-2.0

/// How often an `EntryIndex` looks at the datastore.
package struct EntryIndexConfiguration: Sendable {
    /// Between two looks at the event tables (`cache_reload_interval`).
    package var pollInterval: Duration = .seconds(5)
    /// Between two complete loads (`full_cache_reload_interval`).
    package var fullReloadInterval: Duration = .seconds(24 * 3600)
    /// How much later than its successors an event row may become visible and still be noticed.
    package var overlap: Duration = .seconds(60)
    package init() {}
}
