// SPDX-License-Identifier: Apache-2.0

import APIProtos
import CLISupport
import RPC

struct EntryDelete: Command {
    static let name = "entry delete"
    static let synopsis = "Deletes registration entries"
    private let connection: ServerConnectionFlags
    private let output: Flag<OutputFormat>
    private let entryID: Flag<String>
    private let file: Flag<String>

    init(_ flags: FlagSet) {
        connection = ServerConnectionFlags(flags)
        output = flags.output()
        entryID = flags.string("entryID", "", "The Registration Entry ID of the record to delete.")
        file = flags.string(
            "file", "",
            "Path to a file containing a JSON structure for batch deletion (optional). If set to '-', read from stdin.")
    }

    func run(_ console: Console) async throws {
        var request = Spire_Api_Server_Entry_V1_BatchDeleteEntryRequest()
        if !file.value.isEmpty {
            request.ids = try EntryFile.ids(file.value)
        } else {
            guard !entryID.value.isEmpty else { throw CommandFailure("an entry ID is required") }
            request.ids = [entryID.value]
        }
        let wanted = request
        let response = try await connection.withServer(console) {
            try await $0.unary(EntryMethods.batchDeleteEntry, wanted)
        }
        let json: JSONNode = .object([
            "results": .array(
                response.results.map { .object(["status": JSONNode($0.status), "id": .string($0.id)]) })
        ])
        try console.show(output.value, json: json) { try show(console, response) }
    }

    private func show(_ console: Console, _ response: Spire_Api_Server_Entry_V1_BatchDeleteEntryResponse) throws {
        let done = response.results.filter { $0.status.isOK }
        let failed = response.results.filter { !$0.status.isOK }
        for result in done { console.out("Deleted entry with ID: \(result.id.harmless)\n") }
        for result in failed {
            console.err("Failed to delete entry with ID \(result.id.harmless) \(result.status.described)\n")
        }
        console.out("\n\n")
        if failed.isEmpty {
            console.out("Deleted \(done.count) entries successfully")
            return
        }
        if done.isEmpty {
            console.out("Failed to delete \(failed.count) entries")
        } else {
            console.out(
                "Deleted \(done.count) entries successfully, but failed to delete \(failed.count) entries")
        }
        throw CommandFailure("failed to delete one or more entries")
    }
}
