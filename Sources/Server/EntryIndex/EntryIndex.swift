// SPDX-License-Identifier: Apache-2.0

package import Datastore
package import Groundwork
package import Logging

/// The entries of the trust domain in memory, kept current by the datastore's change events.
package final class EntryIndex: AuthorizedEntries {
    private let store: any EntryReader & NodeReader & EventReader
    private let trustDomain: String
    private let configuration: EntryIndexConfiguration
    private let localChanges: Watch<UInt64>
    private let time: any TimeSource
    private let logger: Logger

    /// - Parameters:
    ///   - trustDomain: Bare name; entries and agents of others are ignored.
    ///   - localChanges: Wakes the index; hand in the datastore's (`ChangeNotifier`).
    package init(
        store: any EntryReader & NodeReader & EventReader, trustDomain: String,
        configuration: EntryIndexConfiguration = .init(), localChanges: Watch<UInt64> = Watch(0),
        time: any TimeSource, logger: Logger
    ) {
        self.store = store
        self.trustDomain = trustDomain
        self.configuration = configuration
        self.localChanges = localChanges
        self.time = time
        self.logger = logger
    }

    /// Loads everything. To be called once before the index answers.
    package func load() async throws {}

    /// Keeps the index current until cancelled.
    package func run() async throws {
        for await _ in localChanges.changes() {}
    }

    /// Brings the index up to the datastore's present state.
    package func refresh() async throws {}

    package func authorizedEntries(agentID: String) async throws -> [RegistrationEntry] { [] }

    package func authorizedEntries(
        agentID: String, ids: Set<String>
    ) async throws -> [String: RegistrationEntry] { [:] }
}
