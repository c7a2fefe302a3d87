// SPDX-License-Identifier: Apache-2.0

import APIProtos
import CLISupport
import RPC

struct EntryCount: Command {
    static let name = "entry count"
    static let synopsis = "Count registration entries"
    private let connection: ServerConnectionFlags
    private let output: Flag<OutputFormat>
    private let filter: EntryFilterFlags

    init(_ flags: FlagSet) {
        connection = ServerConnectionFlags(flags)
        output = flags.output()
        filter = EntryFilterFlags(flags, verb: "count")
    }

    func run(_ console: Console) async throws {
        let listed = try filter.filter()
        var request = Spire_Api_Server_Entry_V1_CountEntriesRequest()
        if listed.hasBySpiffeID { request.filter.bySpiffeID = listed.bySpiffeID }
        if listed.hasByParentID { request.filter.byParentID = listed.byParentID }
        if listed.hasBySelectors { request.filter.bySelectors = listed.bySelectors }
        if listed.hasByFederatesWith { request.filter.byFederatesWith = listed.byFederatesWith }
        if listed.hasByHint { request.filter.byHint = listed.byHint }
        request.filter.byDownstream = listed.byDownstream
        let wanted = request
        let count = try await connection.withServer(console) {
            try await $0.unary(EntryMethods.countEntries, wanted).count
        }
        console.show(output.value, json: .object(["count": .int(count)])) {
            console.out("\(count) registration \(count == 1 ? "entry" : "entries")\n")
        }
    }
}
