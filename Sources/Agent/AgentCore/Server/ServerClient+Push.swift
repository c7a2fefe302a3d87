// SPDX-License-Identifier: Apache-2.0

import APIProtos
import Groundwork
import Logging
import NIOCore
import RPC
import SPIFFE

extension ServerClient {
    package func followEntries(
        _ start: EntryPush.Start, leaving: @escaping @Sendable () -> Void,
        _ body: (EntryPush.Change, _ more: Bool) async throws -> Void
    ) async throws {
        let request = Mapping.request(start)
        var options = CallOptions()
        // The stream may be silent for hours: without questions nobody would notice that the server is gone.
        options.keepalive = .seconds(30)
        options.leaving = leaving
        let chosen = options
        try await current.run { client in
            try await client.serverStreaming(EntryPushMethods.streamAuthorizedEntries, request, options: chosen) {
                responses in
                while let response = try await responses.next() {
                    try await body(try Mapping.change(response, logger), response.more)
                }
            }
        }
    }
}

extension Mapping {
    static func request(
        _ start: EntryPush.Start
    ) -> Swiftspire_Api_Server_Entry_V1_StreamAuthorizedEntriesRequest {
        var request = Swiftspire_Api_Server_Entry_V1_StreamAuthorizedEntriesRequest()
        request.outputMask = entryMask
        if let position = start.position {
            request.position.epoch = position.epoch
            request.position.revision = position.revision
        }
        if let held = start.held {
            request.held.count = held.count
            request.held.low = held.low
            request.held.high = held.high
        }
        for (domain, version) in start.bundles.sorted(by: { $0.key.name < $1.key.name }) {
            var bundle = Swiftspire_Api_Server_Entry_V1_HeldBundle()
            bundle.trustDomain = domain.name
            bundle.version = version
            request.heldBundles.append(bundle)
        }
        return request
    }

    /// - Throws: `agent.server_answer` for a malformed bundle.
    static func change(
        _ message: Swiftspire_Api_Server_Entry_V1_StreamAuthorizedEntriesResponse, _ logger: Logger
    ) throws -> EntryPush.Change {
        var change = EntryPush.Change()
        change.isComplete = message.complete
        for entry in message.entries {
            switch Self.entry(entry) {
            case .success(let entry): change.entries.append(entry)
            case .failure(let bad):
                logger.warning(
                    "Received malformed entry from SPIRE server",
                    metadata: [LogKey.entryID: "\(entry.id)", LogKey.error: "\(bad.reason)"])
                change.rejected.append(
                    .init(id: entry.id, number: entry.revisionNumber, createdAt: entry.createdAt))
            }
        }
        change.removed = message.removedEntryIds
        change.bundles = try message.bundles.map { .init(bundle: try bundle($0.bundle), version: $0.version) }
        for name in message.removedTrustDomains {
            guard let domain = try? TrustDomain(name) else {
                throw SpireError(.serverAnswer, "malformed trust domain name")
            }
            change.removedDomains.append(domain)
        }
        if message.hasDigest {
            change.digest = SetDigest(
                count: message.digest.count, low: message.digest.low, high: message.digest.high)
        }
        if message.hasPosition {
            change.position = .init(epoch: message.position.epoch, revision: message.position.revision)
        }
        return change
    }
}
