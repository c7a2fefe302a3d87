// SPDX-License-Identifier: Apache-2.0

import APIProtos
import CLISupport
import RPC

struct EntryCreate: Command {
    static let name = "entry create"
    static let synopsis = "Creates registration entries"
    private let connection: ServerConnectionFlags
    private let output: Flag<OutputFormat>
    private let fields: EntryFlags
    private let node: Flag<Bool>

    init(_ flags: FlagSet) {
        connection = ServerConnectionFlags(flags)
        output = flags.output()
        fields = EntryFlags(
            flags,
            entryIDHelp: "A custom ID for this registration entry (optional). If not set, a new entry ID will be generated")
        node = flags.bool("node", "If set, this entry will be applied to matching nodes rather than workloads")
    }

    func run(_ console: Console) async throws {
        let entries = try fields.data.value.isEmpty ? [entry()] : EntryFile.entries(fields.data.value)
        var request = Spire_Api_Server_Entry_V1_BatchCreateEntryRequest()
        request.entries = entries
        let wanted = request
        var response = try await connection.withServer(console) {
            try await $0.unary(EntryMethods.batchCreateEntry, wanted)
        }
        for index in response.results.indices where !response.results[index].status.isOK && index < entries.count {
            response.results[index].entry = entries[index]
        }
        let results = response.results.map { (status: $0.status, entry: $0.entry) }
        try EntryBatch.show(console, output.value, results, verb: "create")
    }

    private func entry() throws -> Spire_Api_Types_Entry {
        guard !fields.selectors.value.isEmpty else { throw CommandFailure("at least one selector is required") }
        guard !node.value || fields.federatesWith.value.isEmpty else {
            throw CommandFailure("node entries can not federate")
        }
        guard node.value || !fields.parentID.value.isEmpty else {
            throw CommandFailure("a parent ID is required if the node flag is not set")
        }
        try fields.checkCommon()
        var entry = try fields.entry()
        if node.value {
            entry.parentID.trustDomain = entry.spiffeID.trustDomain
            entry.parentID.path = "/spire/server"
        } else {
            entry.parentID = try Spire_Api_Types_SPIFFEID(flag: "parentID", fields.parentID.value)
        }
        if fields.disablePrefetch.value || fields.includeJTI.value {
            entry.additionalAttributes.disableX509SvidPrefetch = fields.disablePrefetch.value
            entry.additionalAttributes.jwtSvidIncludeJti = fields.includeJTI.value
        }
        return entry
    }
}

/// Results of creating and updating many entries.
enum EntryBatch {
    /// - Throws: the command's failure when an entry failed; with JSON none does, as in the original.
    static func show(
        _ console: Console, _ format: OutputFormat,
        _ results: [(status: Spire_Api_Types_Status, entry: Spire_Api_Types_Entry)], verb: String
    ) throws {
        let json: JSONNode = .object([
            "results": .array(
                results.map { .object(["status": JSONNode($0.status), "entry": JSONNode($0.entry)]) })
        ])
        try console.show(format, json: json) {
            for result in results where result.status.isOK { console.out(result.entry.pretty) }
            let failed = results.filter { !$0.status.isOK }
            for result in failed {
                console.err("Failed to \(verb) the following entry \(result.status.described):\n")
                console.err(result.entry.pretty)
            }
            if !failed.isEmpty { throw CommandFailure("failed to \(verb) one or more entries") }
        }
    }
}
