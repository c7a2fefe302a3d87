// SPDX-License-Identifier: Apache-2.0

package import Datastore

extension SQLDatastore: FeedReader {
    package func feed(entriesAfter: Int64, nodesAfter: Int64) async throws -> FeedReading {
        try await pool.read { connection in
            var reading = FeedReading(entries: [], nodes: [])
            try connection.query(
                "SELECT id, entry_id FROM registered_entries_events WHERE id > ? ORDER BY id", [.integer(entriesAfter)]
            ) { row in
                reading.entries.append(ChangeEvent(eventID: row.integer(0), key: row.text(1)))
            }
            try connection.query(
                "SELECT id, spiffe_id FROM attested_node_entries_events WHERE id > ? ORDER BY id", [.integer(nodesAfter)]
            ) { row in
                reading.nodes.append(ChangeEvent(eventID: row.integer(0), key: row.text(1)))
            }
            var bundles: [BundleStamp] = []
            // Some databases keep whole seconds only; the length helps to tell two writes in one second apart.
            try connection.query("SELECT trust_domain, updated_at, LENGTH(data), id FROM bundles", []) { row in
                bundles.append(
                    BundleStamp(
                        trustDomainID: row.text(0), stamp: "\(row.integer(3)) \(row.text(1)) \(row.integer(2))"))
            }
            reading.bundles = bundles
            return reading
        }
    }
}
