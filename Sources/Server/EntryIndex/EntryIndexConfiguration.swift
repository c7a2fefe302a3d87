// SPDX-License-Identifier: Apache-2.0

/// How often an `EntryIndex` looks at the datastore.
package struct EntryIndexConfiguration: Sendable {
    /// Between two looks at the event tables (`cache_reload_interval`).
    package var pollInterval: Duration = .seconds(5)
    /// The most between two looks where other servers write to the same database.
    package var sharedPollInterval: Duration = .seconds(1)
    /// Between two complete loads (`full_cache_reload_interval`).
    package var fullReloadInterval: Duration = .seconds(24 * 3600)
    /// How much later than its successors an event row may become visible and still be noticed (`event_timeout`).
    package var overlap: Duration = .seconds(900)
    /// Between two looks as far back as that. The looks in between go back a few seconds.
    package var deepInterval: Duration = .seconds(30)
    package init() {}
}
