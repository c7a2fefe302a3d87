// SPDX-License-Identifier: Apache-2.0

import APIProtos
import CLISupport
import RPC

struct EntryUpdate: Command {
    static let name = "entry update"
    static let synopsis = "Updates registration entries"
    private let connection: ServerConnectionFlags
    private let output: Flag<OutputFormat>
    private let fields: EntryFlags

    init(_ flags: FlagSet) {
        connection = ServerConnectionFlags(flags)
        output = flags.output()
        fields = EntryFlags(flags, entryIDHelp: "The Registration Entry ID of the record to update")
    }

    func run(_ console: Console) async throws {
        let entries = try fields.data.value.isEmpty ? [entry()] : EntryFile.entries(fields.data.value)
        let (sent, response) = try await connection.withServer(console) { client in
            var request = Spire_Api_Server_Entry_V1_BatchUpdateEntryRequest()
            request.entries = entries
            if fields.data.value.isEmpty { try await mergeAttributes(&request.entries[0], client) }
            return (request.entries, try await client.unary(EntryMethods.batchUpdateEntry, request))
        }
        let results = response.results.enumerated().map { index, result in
            (status: result.status, entry: result.status.isOK || index >= sent.count ? result.entry : sent[index])
        }
        try EntryBatch.show(console, output.value, results, verb: "update")
    }

    private func entry() throws -> Spire_Api_Types_Entry {
        guard !fields.entryID.value.isEmpty else { throw CommandFailure("entry ID is required") }
        guard !fields.selectors.value.isEmpty else { throw CommandFailure("at least one selector is required") }
        guard !fields.parentID.value.isEmpty else { throw CommandFailure("a parent ID is required") }
        try fields.checkCommon()
        var entry = try fields.entry()
        entry.parentID = try Spire_Api_Types_SPIFFEID(flag: "parentID", fields.parentID.value)
        return entry
    }

    /// The two attribute flags are switches that turn on; giving one keeps the other as it is stored.
    private func mergeAttributes(_ entry: inout Spire_Api_Types_Entry, _ client: RPCClient) async throws {
        guard fields.disablePrefetch.isSet || fields.includeJTI.isSet else { return }
        var request = Spire_Api_Server_Entry_V1_GetEntryRequest()
        request.id = entry.id
        do {
            entry.additionalAttributes = try await client.unary(EntryMethods.getEntry, request).additionalAttributes
        } catch {
            throw CommandFailure("failed to fetch existing entry to merge additional attributes: \(error.harmless)")
        }
        if fields.disablePrefetch.isSet { entry.additionalAttributes.disableX509SvidPrefetch = true }
        if fields.includeJTI.isSet { entry.additionalAttributes.jwtSvidIncludeJti = true }
    }
}
