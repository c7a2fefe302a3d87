// SPDX-License-Identifier: Apache-2.0

import APIProtos
import CLISupport
import RPC

struct EntryExplain: Command {
    static let name = "entry explain"
    static let synopsis = "Explains which registration entries a process matches, and what others lack"
    private let connection: ServerConnectionFlags
    private let output: Flag<OutputFormat>
    private let agentID: Flag<String>
    private let spiffeID: Flag<String>
    private let selectors: Flag<[String]>
    private let limit: Flag<Int>

    init(_ flags: FlagSet) {
        connection = ServerConnectionFlags(flags)
        output = flags.output()
        agentID = flags.string("agentID", "", "The SPIFFE ID of the agent the process is under (optional)")
        spiffeID = flags.string("spiffeID", "", "The SPIFFE ID the process should have (optional)")
        selectors = flags.list(
            "selector", "A colon-delimited type:value selector the process was found to have. Can be used more than once")
        limit = flags.int("limit", 100, "Most matching entries, and most near ones, to show; at most 1000")
    }

    func run(_ console: Console) async throws {
        var request = Swiftspire_Server_Explain_V1_ExplainEntriesRequest()
        func id(_ flag: Flag<String>, _ name: String) throws -> Spire_Api_Types_SPIFFEID {
            do {
                return try Spire_Api_Types_SPIFFEID(parsing: flag.value)
            } catch {
                throw CommandFailure("error parsing \(name) \(GoText.quoted(flag.value)): \(error)")
            }
        }
        if !agentID.value.isEmpty { request.agentID = try id(agentID, "agent ID") }
        if !spiffeID.value.isEmpty { request.spiffeID = try id(spiffeID, "SPIFFE ID") }
        request.selectors = try selectors.value.map(SPIRE.selector)
        guard request.hasSpiffeID || !request.selectors.isEmpty else {
            throw CommandFailure("at least one selector or a SPIFFE ID is required")
        }
        guard let limit = Int32(exactly: limit.value), limit > 0 else {
            throw CommandFailure("limit must be a positive number")
        }
        request.limit = limit
        let wanted = request
        let response = try await connection.withServer(console) {
            try await $0.unary(ExplainMethods.explainEntries, wanted)
        }
        console.show(output.value, json: ExplainText.json(response)) {
            console.out(ExplainText.pretty(response, wanted))
        }
    }
}

/// An explanation as people and as programs read it.
enum ExplainText {
    typealias Response = Swiftspire_Server_Explain_V1_ExplainEntriesResponse
    typealias Finding = Swiftspire_Server_Explain_V1_EntryFinding
    typealias Link = Swiftspire_Server_Explain_V1_ParentLink

    static func pretty(_ response: Response, _ request: Swiftspire_Server_Explain_V1_ExplainEntriesRequest) -> String {
        var text = ""
        if response.hasAgent { text += agent(response.agent, request.agentID.text) + "\n" }
        text += "\(count(response.matching.count)) matched\n"
        for finding in response.matching { text += "\n" + entry(finding) }
        text += "\n\(count(response.near.count)) nearly matched\n"
        for finding in response.near { text += "\n" + entry(finding) }
        if response.truncated { text += "\nThere are more; name more selectors, or see -limit\n" }
        if response.matching.isEmpty, response.near.isEmpty {
            text += request.hasSpiffeID
                ? "\nNo entry has the SPIFFE ID \(request.spiffeID.text)\n" : "\nNo entry has any of the selectors\n"
        }
        return text
    }

    private static func count(_ count: Int) -> String { count == 1 ? "1 entry" : "\(count) entries" }

    private static func agent(_ agent: Swiftspire_Server_Explain_V1_AgentFinding, _ id: String) -> String {
        let state: String =
            switch agent.state {
            case .active: "active until \(GoText.time(agent.expiresAt, utc: true))"
            case .unknown: "not attested: no agent with this ID is known to the server"
            case .expired: "expired at \(GoText.time(agent.expiresAt, utc: true)); it obtains nothing until it attests again"
            case .banned: "banned; it obtains nothing"
            case .notAsked, .UNRECOGNIZED: "unknown"
            }
        var text = "Agent \(id): \(state)\n"
        for selector in agent.selectors { text += "  has \("\(selector.type):\(selector.value)".harmless)\n" }
        return text
    }

    private static func entry(_ finding: Finding) -> String {
        let entry = finding.entry
        var text = "Entry \(entry.id.harmless)\n"
        func line(_ label: String, _ value: String) {
            text += "  " + label + String(repeating: " ", count: max(0, 17 - label.count)) + ": " + value.harmless + "\n"
        }
        line("SPIFFE ID", entry.spiffeID.text)
        line("Parent ID", entry.parentID.text)
        for selector in entry.selectors {
            let isMissing = finding.missing.contains(selector)
            line(isMissing ? "Selector missing" : "Selector", "\(selector.type):\(selector.value)")
        }
        for link in finding.parents { line(finding.reachesAgent ? "By way of" : "Not reached", self.link(link)) }
        if finding.expired { line("Expired", "at \(GoText.time(entry.expiresAt, utc: true)); it will be pruned") }
        return text
    }

    private static func link(_ link: Link) -> String {
        let id = link.id.text
        let missing = link.missing.map { "\($0.type):\($0.value)" }.joined(separator: ", ")
        return switch link.outcome {
        case .agent: "agent \(id)"
        case .entry: "\(id), which entry \(link.entryID) gives"
        case .alias: "\(id), which alias entry \(link.entryID) gives to nodes"
        case .noSuchParent: "no agent and no entry has the ID \(id)"
        case .otherAgent: "\(id) is another agent"
        case .aliasLacksSelectors: "alias entry \(link.entryID) (\(id)) is for nodes with \(missing), which the agent lacks"
        case .agentExpired: "\(id): the agent's certificate has expired"
        case .agentBanned: "\(id): the agent is banned"
        case .agentUnknown: "\(id): no agent with this ID has attested"
        case .cycle: "\(id): entry \(link.entryID) leads back to itself"
        case .tooLong: "\(id): the search ended here, too many entries are in between"
        case .isAlias: "the entry is an alias: it names nodes, not processes"
        case .unspecified, .UNRECOGNIZED: id
        }
    }

    // MARK: JSON

    static func json(_ response: Response) -> JSONNode {
        var members: [String: JSONNode] = [
            "matching": .array(response.matching.map(json)), "near": .array(response.near.map(json)),
            "examined": .int(response.examined), "truncated": .bool(response.truncated),
        ]
        if response.hasAgent {
            members["agent"] = .object([
                "state": .string(name(response.agent.state)), "expires_at": .int64(response.agent.expiresAt),
                "selectors": .array(response.agent.selectors.map { JSONNode($0) }),
            ])
        }
        return .object(members)
    }

    private static func json(_ finding: Finding) -> JSONNode {
        .object([
            "entry": JSONNode(finding.entry), "missing": .array(finding.missing.map { JSONNode($0) }),
            "expired": .bool(finding.expired), "reaches_agent": .bool(finding.reachesAgent),
            "parents": .array(
                finding.parents.map { link in
                    .object([
                        "depth": .int(link.depth), "id": JSONNode(link.id), "outcome": .string(name(link.outcome)),
                        "entry_id": .string(link.entryID), "missing": .array(link.missing.map { JSONNode($0) }),
                    ])
                }),
        ])
    }

    private static func name(_ state: Swiftspire_Server_Explain_V1_AgentFinding.State) -> String {
        switch state {
        case .notAsked: "NOT_ASKED"
        case .active: "ACTIVE"
        case .unknown: "UNKNOWN"
        case .expired: "EXPIRED"
        case .banned: "BANNED"
        case .UNRECOGNIZED(let number): "\(number)"
        }
    }

    private static func name(_ outcome: Link.Outcome) -> String {
        switch outcome {
        case .unspecified: "UNSPECIFIED"
        case .agent: "AGENT"
        case .entry: "ENTRY"
        case .alias: "ALIAS"
        case .noSuchParent: "NO_SUCH_PARENT"
        case .otherAgent: "OTHER_AGENT"
        case .aliasLacksSelectors: "ALIAS_LACKS_SELECTORS"
        case .agentExpired: "AGENT_EXPIRED"
        case .agentBanned: "AGENT_BANNED"
        case .agentUnknown: "AGENT_UNKNOWN"
        case .cycle: "CYCLE"
        case .tooLong: "TOO_LONG"
        case .isAlias: "IS_ALIAS"
        case .UNRECOGNIZED(let number): "\(number)"
        }
    }
}
