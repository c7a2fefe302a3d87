// SPDX-License-Identifier: Apache-2.0

import APIProtos
import CLISupport
import RPC
import ServerAPI

struct EntryApply: Command {
    static let name = "entry apply"
    static let synopsis = "Makes registration entries what files declare"
    /// Times a plan is made anew because others have changed entries in between.
    private static let rounds = 4
    /// Exit code of a dry run that found something to do.
    static let changesPending: Int32 = 2

    private let connection: ServerConnectionFlags
    private let output: Flag<OutputFormat>
    private let file: Flag<String>
    private let owner: Flag<String>
    private let prune: Flag<Bool>
    private let adopt: Flag<Bool>
    private let dryRun: Flag<Bool>

    init(_ flags: FlagSet) {
        connection = ServerConnectionFlags(flags)
        output = flags.output()
        file = flags.string(
            "f", "", "Path to a YAML or JSON file of entries, or to a folder of such files. If set to '-', read YAML from stdin.")
        owner = flags.string(
            "owner", "default",
            "Whose entries the files declare: lower-case letters, digits and hyphens. Entries of other owners and of nobody are left alone")
        prune = flags.bool("prune", "Delete the owner's entries that the files do not declare. Needs -owner")
        adopt = flags.bool("adopt", "Take over entries that nobody owns and that are what the files declare")
        dryRun = flags.bool(
            "dry-run", "Show the plan and change nothing. The exit code is 2 when there is something to change")
    }

    func run(_ console: Console) async throws {
        guard !file.value.isEmpty else { throw CommandFailure("a file or folder is required; see -f") }
        guard EntryOwner.isValid(owner.value) else {
            throw CommandFailure("owner must be 1 to \(EntryOwner.longestName) lower-case letters, digits and hyphens")
        }
        guard !prune.value || owner.isSet else { throw CommandFailure("-prune needs -owner: it deletes entries") }
        let declared = try ApplyFiles.read(file.value, owner: owner.value)
        try await connection.withServer(console) { client in
            try await apply(
                declared, ApplySession(client: client, owner: owner.value, progress: console.err), console)
        }
    }

    private func apply(_ declared: [DeclaredEntry], _ session: ApplySession, _ console: Console) async throws {
        let generation = dryRun.value ? 0 : try await session.begin()
        var outcome = ApplySession.Outcome()
        var firstPlan: ApplyPlan?
        for round in 1...Self.rounds {
            let plan: ApplyPlan
            do {
                plan = try await self.plan(declared, session)
            } catch let problems as ApplyProblems {
                let before = outcome.done == 0 ? "nothing was applied" : "stopped after \(outcome.done) changes"
                throw CommandFailure("\(before):\n\(problems)")
            }
            if firstPlan == nil {
                firstPlan = plan
                if output.value == .pretty { console.out(ApplyText.plan(plan, owner: owner.value)) }
            }
            if dryRun.value {
                console.show(output.value, json: json(plan, nil)) {}
                if !plan.isEmpty { throw CommandFailure("", exitCode: Self.changesPending) }
                return
            }
            outcome += try await session.perform(plan, generation: generation)
            if outcome.overtaken.isEmpty || !outcome.failed.isEmpty { break }
            if round < Self.rounds {
                console.err(
                    "\(outcome.overtaken.count) entries were changed by somebody else meanwhile; planning again\n")
            }
        }
        if let firstPlan {
            console.show(output.value, json: json(firstPlan, outcome)) { console.out(ApplyText.outcome(outcome)) }
        }
        let failures = outcome.failed + outcome.overtaken
        for failure in failures { console.err(ApplyText.failure(failure)) }
        if !failures.isEmpty {
            throw CommandFailure(
                "\(failures.count) changes were not made, and what is not declared was not deleted; "
                    + "run the command again once the cause is gone")
        }
    }

    private func json(_ plan: ApplyPlan, _ outcome: ApplySession.Outcome?) -> JSONNode {
        ApplyText.json(plan, owner: owner.value, isDryRun: dryRun.value, outcome: outcome)
    }

    /// - Throws: `ApplyProblems`.
    private func plan(_ declared: [DeclaredEntry], _ session: ApplySession) async throws -> ApplyPlan {
        let owned = try await session.owned()
        let known = Dictionary(owned.map { ($0.id, $0) }) { $1 }
        // What stays as it is need not be checked again.
        let new = declared.filter { item in
            guard let present = known[item.entry.id] else { return true }
            return !EntryComparison.changes(from: present, to: item.entry).0.isEmpty
        }
        let similar = try await session.similar(new).filter { known[$0.key] == nil }
        let plan = ApplyPlan(
            declared: declared, owner: owner.value, owned: owned, similar: similar,
            options: .init(prune: prune.value, adopt: adopt.value))
        if !plan.problems.isEmpty { throw plan.problems }
        return plan
    }
}
