// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// Where the fields of a message go.
/// > Spec: Protocol Buffers, Encoding.
protocol FieldSink {
    mutating func varint(_ value: UInt64)
    mutating func raw(_ bytes: UnsafeBufferPointer<UInt8>)
}

enum FieldSizes {
    static func varint(_ value: UInt64) -> Int { max(1, (70 - value.leadingZeroBitCount) / 7) }

    /// Bytes a text field with a one-byte key takes.
    static func text(_ count: Int) -> Int { count == 0 ? 0 : 1 + varint(UInt64(count)) + count }

    /// Bytes a field with a message of `size` bytes takes.
    static func message(_ field: UInt64, _ size: Int) -> Int { varint(field << 3) + varint(UInt64(size)) + size }
}

extension FieldSink {
    private mutating func key(_ field: UInt64, _ wireType: UInt64) { varint(field << 3 | wireType) }

    mutating func number(_ field: UInt64, _ value: Int64) {
        guard value != 0 else { return }
        key(field, 0)
        varint(UInt64(bitPattern: value))
    }

    mutating func flag(_ field: UInt64, _ value: Bool) {
        guard value else { return }
        key(field, 0)
        varint(1)
    }

    mutating func text(_ field: UInt64, _ value: String) {
        if !value.isEmpty { element(field, value) }
    }

    mutating func text(_ field: UInt64, _ value: UnsafeBufferPointer<UInt8>) {
        if !value.isEmpty { unsafe element(field, value) }
    }

    /// Of a repeated field: written even when empty.
    mutating func element(_ field: UInt64, _ value: String) {
        var value = value
        value.withUTF8 { unsafe element(field, $0) }
    }

    mutating func element(_ field: UInt64, _ value: UnsafeBufferPointer<UInt8>) {
        begin(field, size: value.count)
        unsafe raw(value)
    }

    /// `size` bytes of the field follow.
    mutating func begin(_ field: UInt64, size: Int) {
        key(field, 2)
        varint(UInt64(size))
    }
}

/// Counts what would be written.
struct FieldCounter: FieldSink {
    private var size = 0

    static func count(_ body: (inout FieldCounter) -> Void) -> Int {
        var counter = FieldCounter()
        body(&counter)
        return counter.size
    }

    mutating func varint(_ value: UInt64) { size += FieldSizes.varint(value) }
    mutating func raw(_ bytes: UnsafeBufferPointer<UInt8>) { size += bytes.count }
}

/// Writes into room that was measured before.
@safe struct FieldWriter: FieldSink {
    private let room: UnsafeMutableRawBufferPointer
    private var at = 0

    private init(_ room: UnsafeMutableRawBufferPointer) { unsafe self.room = unsafe room }

    /// Has `body` write exactly `size` bytes, as counted before, behind what `buffer` holds.
    static func write(_ size: Int, into buffer: inout ByteBuffer, _ body: (inout FieldWriter) -> Void) {
        unsafe buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: size) { room in
            var writer = unsafe FieldWriter(UnsafeMutableRawBufferPointer(rebasing: room.prefix(size)))
            body(&writer)
            precondition(writer.at == size)
            return size
        }
    }

    mutating func varint(_ value: UInt64) {
        precondition(unsafe FieldSizes.varint(value) <= room.count - at)
        var rest = value
        while rest >= 0x80 {
            unsafe room[at] = UInt8(truncatingIfNeeded: rest) | 0x80
            at += 1
            rest >>= 7
        }
        unsafe room[at] = UInt8(truncatingIfNeeded: rest)
        at += 1
    }

    mutating func raw(_ bytes: UnsafeBufferPointer<UInt8>) {
        precondition(unsafe bytes.count <= room.count - at)
        unsafe UnsafeMutableRawBufferPointer(rebasing: room[at...]).copyMemory(from: UnsafeRawBufferPointer(bytes))
        at += bytes.count
    }
}
