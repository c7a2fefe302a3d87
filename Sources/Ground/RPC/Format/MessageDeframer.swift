// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// Cuts a stream's bytes into messages: one flag byte, four length bytes, the message.
/// > Spec: gRPC over HTTP/2, "Length-Prefixed-Message".
struct MessageDeframer {
    enum Failure: Error, Equatable {
        case tooLarge(Int)
        case compressed
        case unknownFlag(UInt8)
    }

    static let prefixLength = 5

    private let limit: Int
    /// Set once a prefix was read: the length of the message that follows.
    private var length: Int?
    /// Bytes not returned yet, without the prefix once `length` is set.
    private var buffer: ByteBuffer?
    /// `buffer` is a copy of our own, not a slice of what was received.
    private var isCopy = false

    init(limit: Int) { self.limit = limit }

    /// Bytes held that belong to no complete message.
    var heldBytes: Int { buffer?.readableBytes ?? 0 }

    /// Bytes that must still come before the message under way is complete; 0 between messages.
    var missingBytes: Int { length.map { max(0, $0 - heldBytes) } ?? 0 }

    /// Length of the message under way, when it is known.
    var currentLength: Int? { length }

    /// Whether the stream may end here.
    var isBetweenMessages: Bool { length == nil && heldBytes == 0 }

    /// Takes bytes as they came. Call `next` until it returns `nil` afterwards.
    mutating func append(_ bytes: ByteBuffer) {
        if buffer == nil || heldBytes == 0 {
            buffer = bytes
            isCopy = false
        } else {
            buffer?.writeImmutableBuffer(bytes)
        }
    }

    /// The next complete message; `nil` when more bytes are needed.
    mutating func next() throws(Failure) -> ByteBuffer? {
        guard var bytes = buffer else { return nil }
        buffer = nil
        defer { buffer = bytes.readableBytes > 0 ? bytes : nil }
        if length == nil {
            guard let (flag, count) = bytes.readMultipleIntegers(as: (UInt8, UInt32).self) else {
                detach(&bytes, room: Self.prefixLength)
                return nil
            }
            guard flag == 0 else {
                throw flag == 1 ? .compressed : .unknownFlag(flag)
            }
            guard Int(count) <= limit else { throw .tooLarge(Int(count)) }
            length = Int(count)
        }
        guard let wanted = length else { return nil }
        if let message = bytes.readSlice(length: wanted) {
            length = nil
            // What follows lies in the message's own memory.
            isCopy = false
            return message
        }
        let needed = bytes.readerIndex + wanted
        if bytes.readableBytes > 0, bytes.capacity < needed {
            // Grows by doubling with what really arrives: a peer that announces 4 MiB and sends 10 bytes costs 10 bytes.
            detach(&bytes, room: min(needed, max(1024, bytes.readableBytes * 2)))
        }
        return nil
    }

    /// Makes room in a copy that does not keep the receive buffer alive which `bytes` is a slice of. A copy grows where it
    /// is: the allocator moves large ones without copying them.
    private mutating func detach(_ bytes: inout ByteBuffer, room: Int) {
        if isCopy { return bytes.reserveCapacity(room) }
        var copy = ByteBuffer()
        if bytes.readableBytes > 0 {
            copy.reserveCapacity(max(room, bytes.readableBytes))
            copy.writeImmutableBuffer(bytes)
        }
        bytes = copy
        isCopy = true
    }
}

extension MessageDeframer.Failure {
    /// What the other side is told, in grpc-go's words.
    func status(limit: Int) -> RPCStatus {
        switch self {
        case .tooLarge(let size):
            RPCStatus(.resourceExhausted, "grpc: received message larger than max (\(size) vs. \(limit))")
        case .compressed:
            RPCStatus(.internal, "grpc: compressed flag set with identity or empty encoding")
        case .unknownFlag(let flag):
            RPCStatus(.internal, "grpc: received unexpected payload format \(flag)")
        }
    }
}
