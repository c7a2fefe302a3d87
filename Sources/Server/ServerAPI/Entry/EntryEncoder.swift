// SPDX-License-Identifier: Apache-2.0

import Datastore
import NIOCore
import RPC

/// Writes entries straight into the bytes of a response, without an object for each: answers may hold all there are.
///
/// What it writes is what `EntryMapping.proto` and swift-protobuf make, byte for byte (fields in order of number,
/// defaults left out); tests compare the two.
struct EntryEncoder: Sendable {
    private let ids: IDRules
    private let mask: EntryMask
    /// Number of the repeated field the entries stand in.
    private let field: UInt64
    private var out = HandwrittenMessage.begin()
    /// Entries on their way into `out`: an array takes many small pieces sooner than a buffer does.
    private var pending: [UInt8] = []
    private(set) var count = 0
    /// Entries that cannot be shown, because a stored ID is no SPIFFE ID.
    private(set) var unreadable: [String] = []

    init(_ ids: IDRules, mask: EntryMask, field: Int) {
        self.ids = ids
        self.mask = mask
        self.field = UInt64(field)
    }

    mutating func append(contentsOf entries: some Sequence<RegistrationEntry>) {
        for entry in entries {
            append(entry)
            if pending.count >= 64 << 10 { flush() }
        }
        flush()
    }

    private mutating func flush() {
        out.writeBytes(pending)
        pending.removeAll(keepingCapacity: true)
    }

    private mutating func append(_ entry: RegistrationEntry) {
        guard let spiffeID = ids.parts(entry.spiffeID), let parentID = ids.parts(entry.parentID) else {
            unreadable.append(entry.id)
            return
        }
        var size = FieldCounter()
        Self.write(entry, spiffeID, parentID, mask, to: &size)
        pending.key(field, .bytes)
        pending.varint(UInt64(size.count))
        Self.write(entry, spiffeID, parentID, mask, to: &pending)
        count += 1
    }

    /// Writes a field that follows the entries.
    mutating func append(_ field: UInt64, _ text: String) {
        pending.text(field, text)
        flush()
    }

    mutating func append(_ field: UInt64, _ flag: Bool) {
        pending.flag(field, flag)
        flush()
    }

    /// The message, ready to be sent; nothing stays here.
    /// - Throws: `resourceExhausted` when it is too large for gRPC.
    mutating func finished() throws -> ByteBuffer {
        var written = ByteBuffer()
        swap(&written, &out)
        return try HandwrittenMessage.end(written)
    }

    /// Static, because a method that reads `self` while `out` is written would make a copy of all that was written.
    private static func write(
        _ entry: RegistrationEntry, _ spiffeID: IDRules.Parts, _ parentID: IDRules.Parts, _ mask: EntryMask,
        to out: inout some FieldSink
    ) {
        out.text(1, entry.id)
        if mask.contains(.spiffeID) { out.id(2, spiffeID) }
        if mask.contains(.parentID) { out.id(3, parentID) }
        if mask.contains(.selectors) { for selector in entry.selectors { out.selector(4, selector) } }
        if mask.contains(.x509SVIDTTL) { out.number(5, Int64(entry.x509SVIDTTL)) }
        if mask.contains(.federatesWith) {
            for domain in entry.federatesWith { out.element(6, EntryMapping.trustDomainName(domain)) }
        }
        if mask.contains(.admin) { out.flag(7, entry.admin) }
        if mask.contains(.downstream) { out.flag(8, entry.downstream) }
        if mask.contains(.expiresAt) { out.number(9, entry.expiresAt) }
        if mask.contains(.dnsNames) { for name in entry.dnsNames { out.element(10, name) } }
        if mask.contains(.revisionNumber) { out.number(11, entry.revisionNumber) }
        if mask.contains(.storeSVID) { out.flag(12, entry.storeSVID) }
        if mask.contains(.jwtSVIDTTL) { out.number(13, Int64(entry.jwtSVIDTTL)) }
        if mask.contains(.hint) { out.text(14, entry.hint) }
        if mask.contains(.createdAt) { out.number(15, entry.createdAt) }
        if mask.contains(.additionalAttributes), let attributes = entry.additionalAttributes {
            let first = attributes.disableX509SVIDPrefetch
            let second = attributes.jwtSVIDIncludeJTI
            out.key(16, .bytes)
            out.varint((first ? 2 : 0) + (second ? 2 : 0))
            out.flag(1, first)
            out.flag(2, second)
        }
    }
}

/// Where the fields of a message go.
/// > Spec: Protocol Buffers, Encoding.
private protocol FieldSink {
    mutating func varint(_ value: UInt64)
    mutating func raw(_ text: String)
    mutating func raw(_ text: Substring)
}

private enum WireType: UInt64 {
    case number = 0
    case bytes = 2
}

extension FieldSink {
    fileprivate mutating func key(_ field: UInt64, _ type: WireType) { varint(field << 3 | type.rawValue) }

    fileprivate mutating func number(_ field: UInt64, _ value: Int64) {
        guard value != 0 else { return }
        key(field, .number)
        varint(UInt64(bitPattern: value))
    }

    fileprivate mutating func flag(_ field: UInt64, _ value: Bool) {
        guard value else { return }
        key(field, .number)
        varint(1)
    }

    fileprivate mutating func text(_ field: UInt64, _ value: String) {
        if !value.isEmpty { element(field, value) }
    }

    /// Of a repeated field: written even when empty.
    fileprivate mutating func element(_ field: UInt64, _ value: String) {
        key(field, .bytes)
        varint(UInt64(value.utf8.count))
        raw(value)
    }

    fileprivate mutating func id(_ field: UInt64, _ id: IDRules.Parts) {
        key(field, .bytes)
        varint(UInt64(fieldSize(id.trustDomain.utf8.count) + fieldSize(id.path.utf8.count)))
        text(1, id.trustDomain)
        guard !id.path.isEmpty else { return }
        key(2, .bytes)
        varint(UInt64(id.path.utf8.count))
        raw(id.path)
    }

    fileprivate mutating func selector(_ field: UInt64, _ selector: Selector) {
        key(field, .bytes)
        varint(UInt64(fieldSize(selector.type.utf8.count) + fieldSize(selector.value.utf8.count)))
        text(1, selector.type)
        text(2, selector.value)
    }
}

/// Bytes a text field with a one-byte key takes.
private func fieldSize(_ count: Int) -> Int { count == 0 ? 0 : 1 + varintSize(UInt64(count)) + count }

private func varintSize(_ value: UInt64) -> Int { max(1, (70 - value.leadingZeroBitCount) / 7) }

private struct FieldCounter: FieldSink {
    var count = 0
    mutating func varint(_ value: UInt64) { count += varintSize(value) }
    mutating func raw(_ text: String) { count += text.utf8.count }
    mutating func raw(_ text: Substring) { count += text.utf8.count }
}

extension [UInt8]: FieldSink {
    fileprivate mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        append(UInt8(truncatingIfNeeded: rest))
    }
    fileprivate mutating func raw(_ text: String) { append(contentsOf: text.utf8) }
    fileprivate mutating func raw(_ text: Substring) { append(contentsOf: text.utf8) }
}
