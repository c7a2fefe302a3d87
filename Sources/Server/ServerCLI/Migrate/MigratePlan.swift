// SPDX-License-Identifier: Apache-2.0

import CLISupport
import ServerRuntime

/// Says what starting a server would do to its database's schema, and does nothing.
struct MigratePlan: Command {
    static let name = "migrate plan"
    static let synopsis = "Prints what running the server would change in the database's schema, without changing anything"
    private let file: ServerFileFlags

    init(_ flags: FlagSet) { file = ServerFileFlags(flags) }

    func run(_ console: Console) async throws {
        let plan: SchemaPlan
        do {
            plan = try await SchemaPlan.make(try file.load(console).resolvedPlugins().datastore)
        } catch {
            throw CommandFailure("\(error)")
        }
        console.out("Database type    : \(plan.databaseType)\n")
        console.out("Schema           : \(plan.schema.map { "\($0)" } ?? "none")\n")
        if !plan.release.isEmpty { console.out("Last used by     : \(plan.release)\n") }
        console.out("This release     : \(plan.thisRelease), schema \(plan.wantedSchema)\n")
        if plan.steps.isEmpty {
            console.out("\nNothing would be changed.\n")
            return
        }
        for (number, step) in plan.steps.enumerated() {
            let manner = plan.isAtomic ? "in one transaction" : "each statement by itself"
            console.out("\nStep \(number + 1): \(step.title), \(manner)\n")
            for statement in step.statements { console.out("  \(statement)\n") }
        }
        if plan.isDisabled { console.out("\ndisable_migration is set: the server would refuse to start or use the schema as it is.\n") }
    }
}
