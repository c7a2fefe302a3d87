// SPDX-License-Identifier: Apache-2.0

import APIProtos
import CLISupport

/// A plan and its outcome as people and as programs read them.
enum ApplyText {
    /// Entries of a kind that are shown one by one.
    static let mostShown = 1000

    static func plan(_ plan: ApplyPlan, owner: String) -> String {
        var text = ""
        func section<Item>(_ items: [Item], _ what: String, _ line: (Item) -> String) {
            for item in items.prefix(mostShown) { text += line(item) }
            if items.count > mostShown { text += "  … and \(items.count - mostShown) more to \(what)\n" }
        }
        section(plan.creations, "create") { "+ " + title($0) }
        section(plan.replacements, "replace") { item in
            "> " + title(item.wanted) + "    takes the place of entry \(item.stored.id.harmless)\n"
        }
        section(plan.updates, "change") { update in
            "~ " + title(update.stored)
                + update.changes.map { "    \("\($0.field): \($0.old) -> \($0.new)".harmless)\n" }.joined()
        }
        section(plan.deletions, "delete") { "- " + title($0) }
        if !plan.kept.isEmpty {
            text += "\(entries(plan.kept.count)) of owner \"\(owner)\" not declared any more; -prune deletes them\n"
        }
        text += "Plan: \(plan.creations.count) to create, \(plan.updates.count) to change, "
        if !plan.replacements.isEmpty { text += "\(plan.replacements.count) to take over, " }
        return text + "\(plan.deletions.count) to delete, \(plan.unchanged) unchanged.\n"
    }

    private static func title(_ entry: Spire_Api_Types_Entry) -> String {
        let selectors = entry.selectors.map { "\($0.type):\($0.value)" }.sorted().joined(separator: ", ")
        return "\(entry.spiffeID.text) under \(entry.parentID.text) for \(selectors)  (\(entry.id))".harmless + "\n"
    }

    private static func entries(_ count: Int) -> String { count == 1 ? "1 entry is" : "\(count) entries are" }

    static func outcome(_ outcome: ApplySession.Outcome) -> String {
        var text = "Applied: \(outcome.created) created, \(outcome.updated) changed, "
        if outcome.replaced > 0 { text += "\(outcome.replaced) taken over, " }
        return text + "\(outcome.deleted) deleted.\n"
    }

    static func failure(_ failure: ApplySession.Failure) -> String {
        let entry: String =
            switch failure.change.kind {
            case .create(let entry): "create " + title(entry)
            case .update(let update): "change " + title(update.entry)
            case .replace(let replace): "create " + title(replace.entry)
            case .delete(let delete): "delete entry \(delete.id.harmless)\n"
            case nil: "\n"
            }
        return "Failed to \(entry)    \(failure.status.described)\n"
    }

    static func json(
        _ plan: ApplyPlan, owner: String, isDryRun: Bool, outcome: ApplySession.Outcome?
    ) -> JSONNode {
        var members: [String: JSONNode] = [
            "owner": .string(owner), "dry_run": .bool(isDryRun),
            "plan": .object([
                "create": .array(plan.creations.map { JSONNode($0) }),
                "update": .array(
                    plan.updates.map { update in
                        .object([
                            "entry": JSONNode(update.wanted),
                            "changes": .array(
                                update.changes.map {
                                    .object([
                                        "field": .string($0.field), "old": .string($0.old), "new": .string($0.new),
                                    ])
                                }),
                        ])
                    }),
                "replace": .array(
                    plan.replacements.map {
                        .object(["entry": JSONNode($0.wanted), "replaced_id": .string($0.stored.id)])
                    }),
                "delete": .array(plan.deletions.map { JSONNode($0) }),
                "kept": .strings(plan.kept.map(\.id)),
                "unchanged": .int(plan.unchanged),
            ]),
        ]
        if let outcome {
            members["result"] = .object([
                "created": .int(outcome.created), "updated": .int(outcome.updated),
                "replaced": .int(outcome.replaced), "deleted": .int(outcome.deleted),
                "failed": .array(
                    (outcome.failed + outcome.overtaken).map { failure in
                        .object(["id": .string(id(failure.change)), "status": JSONNode(failure.status)])
                    }),
            ])
        }
        return .object(members)
    }

    private static func id(_ change: ApplySession.Change) -> String {
        switch change.kind {
        case .create(let entry): entry.id
        case .update(let update): update.entry.id
        case .replace(let replace): replace.entry.id
        case .delete(let delete): delete.id
        case nil: ""
        }
    }
}
