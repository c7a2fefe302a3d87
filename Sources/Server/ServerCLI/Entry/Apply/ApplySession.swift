// SPDX-License-Identifier: Apache-2.0

import APIProtos
import CLISupport
import RPC
import SwiftProtobuf

/// Reads an owner's entries from a server and changes them as a plan says.
struct ApplySession {
    typealias Change = Swiftspire_Server_Entryset_V1_Change
    typealias ChangeResult = Swiftspire_Server_Entryset_V1_ChangeEntriesResponse.Result

    /// Entries or changes in one request, and so in one transaction.
    static let batch = 500

    let client: RPCClient
    let owner: String
    /// Tells how far it has come, one line a batch.
    let progress: (String) -> Void

    /// A change the server did not make.
    struct Failure: Sendable {
        var change: Change
        var status: Spire_Api_Types_Status
    }

    struct Outcome: Sendable {
        var created = 0
        var updated = 0
        var replaced = 0
        var deleted = 0
        /// Entries somebody else has changed since the plan was made.
        var overtaken: [Failure] = []
        var failed: [Failure] = []

        static func += (a: inout Outcome, b: Outcome) {
            a.created += b.created
            a.updated += b.updated
            a.replaced += b.replaced
            a.deleted += b.deleted
            a.overtaken = b.overtaken
            a.failed += b.failed
        }

        var done: Int { created + updated + replaced + deleted }
    }

    /// From here on no earlier apply of the owner changes anything.
    func begin() async throws -> Int64 {
        do {
            return try await client.unary(EntrySetMethods.beginApply, .with { $0.owner = owner }).generation
        } catch let status as RPCStatus where status.code == .unimplemented {
            throw CommandFailure("the server does not know entry apply; it must be a swift-spire server of this version")
        }
    }

    func owned() async throws -> [Spire_Api_Types_Entry] {
        var all: [Spire_Api_Types_Entry] = []
        var request = Swiftspire_Server_Entryset_V1_ListOwnedRequest()
        request.owner = owner
        request.pageSize = Int32(Self.batch)
        repeat {
            let page = try await client.unary(EntrySetMethods.listOwned, request)
            all += page.entries
            request.pageToken = page.nextPageToken
        } while !request.pageToken.isEmpty
        return all
    }

    /// Has the server check entries and find those that are there already.
    /// - Throws: `ApplyProblems` with everything the server refuses.
    func similar(_ declared: [DeclaredEntry]) async throws -> [String: Spire_Api_Types_Entry] {
        var similar: [String: Spire_Api_Types_Entry] = [:]
        var problems = ApplyProblems()
        for start in stride(from: 0, to: declared.count, by: Self.batch) {
            let part = declared[start..<min(start + Self.batch, declared.count)]
            let response = try await client.unary(
                EntrySetMethods.checkEntries, .with { $0.entries = part.map(\.entry) })
            guard response.results.count == part.count else {
                throw CommandFailure("the server answered for another number of entries than it was asked about")
            }
            for (item, result) in zip(part, response.results) {
                if !result.status.isOK { problems.add("\(item.place): \(result.status.message)") }
                if result.hasSimilar { similar[item.entry.id] = result.similar }
            }
        }
        if !problems.isEmpty { throw problems }
        return similar
    }

    /// Makes the plan's changes. Deletions are left out once anything before them has failed or was overtaken, so that
    /// what an old entry still does is not lost for a new one that is not there.
    func perform(_ plan: ApplyPlan, generation: Int64) async throws -> Outcome {
        var outcome = Outcome()
        let total = plan.count
        var sent = 0
        for units in [plan.additions, plan.removals] {
            guard outcome.failed.isEmpty, outcome.overtaken.isEmpty else { break }
            for batch in ApplyPlan.batches(units, size: Self.batch) {
                let response: Swiftspire_Server_Entryset_V1_ChangeEntriesResponse
                do {
                    response = try await client.unary(
                        EntrySetMethods.changeEntries,
                        .with {
                            $0.owner = owner
                            $0.generation = generation
                            $0.changes = batch
                        })
                } catch {
                    throw CommandFailure(
                        "stopped after \(outcome.done) of \(total) changes: \(Self.text(error)); what was applied stays, "
                            + "run the command again to go on")
                }
                guard response.results.count == batch.count else {
                    throw CommandFailure("the server answered for another number of changes than it was sent")
                }
                for (change, result) in zip(batch, response.results) { Self.note(change, result, &outcome) }
                sent += batch.count
                if total > Self.batch { progress("Applied \(sent) of \(total) changes\n") }
            }
        }
        return outcome
    }

    private static func note(_ change: Change, _ result: ChangeResult, _ outcome: inout Outcome) {
        let code = StatusCode(rawValue: Int(result.status.code)) ?? .unknown
        switch (code, change.kind) {
        case (.ok, .create): outcome.created += 1
        case (.ok, .update): outcome.updated += 1
        case (.ok, .replace): outcome.replaced += 1
        case (.ok, _): outcome.deleted += 1
        // It is not there, which is what was wanted.
        case (.notFound, .delete): outcome.deleted += 1
        case (.aborted, _), (.notFound, _), (.alreadyExists, _):
            outcome.overtaken.append(Failure(change: change, status: result.status))
        default: outcome.failed.append(Failure(change: change, status: result.status))
        }
    }

    private static func text(_ error: any Error) -> String {
        (error as? RPCStatus)?.message ?? "\(error)"
    }
}
