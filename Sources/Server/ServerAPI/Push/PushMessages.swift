// SPDX-License-Identifier: Apache-2.0

import APIProtos
import Datastore
import EntryIndex
import SwiftProtobuf

typealias PushRequest = Swiftspire_Api_Server_Entry_V1_StreamAuthorizedEntriesRequest
typealias PushResponse = Swiftspire_Api_Server_Entry_V1_StreamAuthorizedEntriesResponse

extension StreamPosition {
    init(_ proto: Swiftspire_Api_Server_Entry_V1_Position) {
        self.init(epoch: proto.epoch, revision: proto.revision)
    }

    var proto: Swiftspire_Api_Server_Entry_V1_Position {
        .with {
            $0.epoch = epoch
            $0.revision = revision
        }
    }
}

extension SetDigest {
    init(_ proto: Swiftspire_Api_Server_Entry_V1_SetDigest) {
        self.init(count: proto.count, low: proto.low, high: proto.high)
    }

    var proto: Swiftspire_Api_Server_Entry_V1_SetDigest {
        .with {
            $0.count = count
            $0.low = low
            $0.high = high
        }
    }
}

extension RegistrationEntry {
    /// About how many bytes the entry takes in a message; not fewer.
    var wireSize: Int {
        var size = 96 + id.utf8.count + spiffeID.utf8.count + parentID.utf8.count + hint.utf8.count
        for selector in selectors { size += 16 + selector.type.utf8.count + selector.value.utf8.count }
        for name in dnsNames { size += 8 + name.utf8.count }
        for domain in federatesWith { size += 8 + domain.utf8.count }
        return size
    }
}

/// Cuts one change into responses that stay far below what a caller accepts by default (4 MiB).
struct PushPieces {
    static let entryLimit = 1000
    static let byteLimit = 1 << 20

    private(set) var current = PushResponse()
    private var size = 0
    private var count = 0
    private let isComplete: Bool

    /// - Parameter isComplete: The entries are all there are.
    init(isComplete: Bool = false) {
        self.isComplete = isComplete
        begin()
    }

    private mutating func begin() {
        current = PushResponse()
        current.complete = isComplete
        size = 0
        count = 0
    }

    /// Makes room for something of `bytes` bytes.
    /// - Returns: a response to send first, if there is no room left in it.
    mutating func room(for bytes: Int) -> PushResponse? {
        defer {
            size += bytes
            count += 1
        }
        guard count > 0, size + bytes > Self.byteLimit || count >= Self.entryLimit else { return nil }
        var full = current
        full.more = true
        begin()
        return full
    }

    mutating func add(_ entry: Spire_Api_Types_Entry) { current.entries.append(entry) }
    mutating func add(removed id: String) { current.removedEntryIds.append(id) }
    mutating func add(_ bundle: Swiftspire_Api_Server_Entry_V1_PushedBundle) { current.bundles.append(bundle) }
    mutating func add(removedDomain name: String) { current.removedTrustDomains.append(name) }

    /// The last response of the change.
    func last(_ position: StreamPosition, _ digest: SetDigest?) -> PushResponse {
        var last = current
        last.position = position.proto
        if let digest { last.digest = digest.proto }
        return last
    }
}
