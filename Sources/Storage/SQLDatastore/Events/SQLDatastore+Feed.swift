// SPDX-License-Identifier: Apache-2.0

package import Datastore
import Groundwork

extension SQLDatastore: FeedReader {
    /// Asks the primary, always: it is one small statement, and what it shows decides how much a replica has to show
    /// before it is read again.
    package func feed(entriesAfter: Int64, nodesAfter: Int64, unless mark: FeedMark?) async throws -> FeedReading {
        // The mark first: what is committed between the two is read now, and looked for once more at the next look.
        let current = try await primary.mark()
        if let current, current == mark { return FeedReading(entries: [], nodes: [], mark: current, isUnchanged: true) }
        let statement = feedStatement
        var reading = try await primary.look { connection in
            var reading = FeedReading(entries: [], nodes: [])
            var bundles: [BundleStamp] = []
            try connection.query(statement, [.integer(entriesAfter), .integer(nodesAfter)]) { row in
                switch row.integer(0) {
                case FeedKind.entry: reading.entries.append(ChangeEvent(eventID: row.integer(1), key: row.text(2)))
                case FeedKind.node: reading.nodes.append(ChangeEvent(eventID: row.integer(1), key: row.text(2)))
                default:
                    // Some databases keep whole seconds only; the length helps to tell two writes in one second apart.
                    bundles.append(
                        BundleStamp(
                            trustDomainID: row.text(2), stamp: "\(row.integer(1)) \(row.text(3)) \(row.integer(4))"))
                }
            }
            // A union has no order, and asking for one would make some databases sort on disk.
            reading.entries.sort { $0.eventID < $1.eventID }
            reading.nodes.sort { $0.eventID < $1.eventID }
            reading.bundles = bundles
            return reading
        }
        reading.mark = current
        noteSeen(reading)
        return reading
    }

    /// Others' changes are not to be looked for on a replica that does not have them yet.
    private func noteSeen(_ reading: FeedReading) {
        guard let progress else { return }
        var hasher = Hasher()
        for event in reading.entries { hasher.combine(event.eventID) }
        hasher.combine(0)
        for event in reading.nodes { hasher.combine(event.eventID) }
        hasher.combine(reading.bundles)
        if progress.isNews(hasher.finalize()) { progress.note(nil) }
    }
}

/// What a row of the feed is about.
enum FeedKind {
    static let bundle: Int64 = 0
    static let entry: Int64 = 1
    static let node: Int64 = 2

    /// Everything by one statement, which is a transaction of its own. Bundles come first: the first part of a union decides
    /// the columns' types.
    static func statement(_ dialect: Dialect) -> String {
        let text = dialect.unionText
        return """
            SELECT \(bundle), id, \(text("trust_domain")), updated_at, LENGTH(data) FROM bundles \
            UNION ALL SELECT \(entry), id, \(text("entry_id")), NULL, NULL FROM registered_entries_events WHERE id > ? \
            UNION ALL SELECT \(node), id, \(text("spiffe_id")), NULL, NULL FROM attested_node_entries_events WHERE id > ?
            """
    }
}
