// SPDX-License-Identifier: Apache-2.0

import APIProtos
import NIOCore
import RPC
import Synchronization
import SwiftProtobuf

@testable import ServerAPI

/// The messages of a caller, in order, then its half-close.
final class ScriptedRequests: RawRequestReader {
    private let messages: Mutex<[ByteBuffer]>

    init(_ messages: [any Message]) throws {
        self.messages = Mutex(try messages.map { ByteBuffer(bytes: try $0.serializedBytes() as [UInt8]) })
    }

    func read() async throws -> ByteBuffer? {
        messages.withLock { $0.isEmpty ? nil : $0.removeFirst() }
    }
}

/// Keeps what a handler sends.
final class RecordedResponses: RawResponseWriter {
    private let messages = Mutex<[[UInt8]]>([])

    func write(_ message: ByteBuffer) async throws {
        messages.withLock { $0.append(Array(message.readableBytesView)) }
    }

    func decoded<M: Message>(_ type: M.Type = M.self) throws -> [M] {
        try messages.withLock { try $0.map { try M(serializedBytes: $0) } }
    }
}

extension EntryService {
    /// The listing, decoded as a client decodes it.
    func listed(
        _ request: Spire_Api_Server_Entry_V1_ListEntriesRequest, _ call: Call
    ) async throws -> Spire_Api_Server_Entry_V1_ListEntriesResponse {
        try .init(serializedBytes: Array(try await list(request, call).readableBytesView))
    }

    func created(
        _ request: Spire_Api_Server_Entry_V1_BatchCreateEntryRequest, _ call: Call
    ) async throws -> Spire_Api_Server_Entry_V1_BatchCreateEntryResponse {
        try .init(serializedBytes: Array(try await batchCreate(request, call).readableBytesView))
    }
}
