// SPDX-License-Identifier: Apache-2.0

import APIProtos
import CLISupport
import RPC

struct EntryShow: Command {
    static let name = "entry show"
    static let synopsis = "Displays configured registration entries"
    /// Entries a page.
    private static let pageSize: Int32 = 500
    private let connection: ServerConnectionFlags
    private let output: Flag<OutputFormat>
    private let entryID: Flag<String>
    private let filter: EntryFilterFlags

    init(_ flags: FlagSet) {
        connection = ServerConnectionFlags(flags)
        output = flags.output()
        entryID = flags.string("entryID", "", "The Entry ID of the records to show")
        filter = EntryFilterFlags(flags, verb: "show")
    }

    func run(_ console: Console) async throws {
        if !entryID.value.isEmpty {
            guard filter.parentID.value.isEmpty, filter.spiffeID.value.isEmpty, filter.selectors.value.isEmpty else {
                throw CommandFailure("the -entryID flag can't be combined with others")
            }
        }
        let filter = try filter.filter()
        var entries = try await connection.withServer(console) { client in
            entryID.value.isEmpty ? try await list(filter, client) : [try await get(client)]
        }
        entries = EntryOrder.sorted(entries)
        console.show(output.value, json: Self.json(entries)) {
            var text = "Found \(entries.count) \(entries.count == 1 ? "entry" : "entries")\n"
            for entry in entries { entry.print(to: &text) }
            console.out(text)
        }
    }

    private static func json(_ entries: [Spire_Api_Types_Entry]) -> JSONNode {
        .object(["entries": .array(entries.map { JSONNode($0) }), "next_page_token": .string("")])
    }

    private func get(_ client: RPCClient) async throws -> Spire_Api_Types_Entry {
        var request = Spire_Api_Server_Entry_V1_GetEntryRequest()
        request.id = entryID.value
        do {
            return try await client.unary(EntryMethods.getEntry, request)
        } catch {
            throw CommandFailure("error fetching entry ID \(entryID.value): \(error.harmless)")
        }
    }

    private func list(_ filter: Spire_Api_Server_Entry_V1_ListEntriesRequest.Filter, _ client: RPCClient) async throws
        -> [Spire_Api_Types_Entry]
    {
        var all: [Spire_Api_Types_Entry] = []
        var request = Spire_Api_Server_Entry_V1_ListEntriesRequest()
        request.filter = filter
        request.pageSize = Self.pageSize
        repeat {
            do {
                let page = try await client.unary(EntryMethods.listEntries, request)
                all += page.entries
                request.pageToken = page.nextPageToken
            } catch {
                throw CommandFailure("error fetching entries: \(error.harmless)")
            }
        } while !request.pageToken.isEmpty
        return all
    }
}
