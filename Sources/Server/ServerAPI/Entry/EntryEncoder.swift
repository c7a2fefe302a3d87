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
    /// Number of the repeated field the entries, or the results with them, stand in.
    private let field: UInt64
    private var out = HandwrittenMessage.begin()
    private(set) var count = 0
    /// Entries that cannot be shown, because a stored ID is no SPIFFE ID.
    private(set) var unreadable: [String] = []

    init(_ ids: IDRules, mask: EntryMask, field: Int) {
        self.ids = ids
        self.mask = mask
        self.field = UInt64(field)
    }

    mutating func append(contentsOf entries: [RegistrationEntry]) { append(contentsOf: EntryRecords(entries)) }

    mutating func append(contentsOf entries: EntryRecords) {
        unsafe entries.withBytes { bytes in
            for record in entries.records {
                guard let entry = unsafe Entry(record, of: entries, bytes, ids) else {
                    unreadable.append(entries.text(record.id))
                    continue
                }
                let size = FieldCounter.count { Self.write(entry, mask, to: &$0) }
                FieldWriter.write(FieldSizes.message(field, size), into: &out) { out in
                    out.begin(field, size: size)
                    Self.write(entry, mask, to: &out)
                }
                count += 1
            }
        }
    }

    /// Writes a result of a batch call, as `BatchCreateEntryResponse` has them.
    /// - Parameter status: `nil` for an item that went well.
    mutating func append(result status: RPCStatus?) {
        let statusSize = FieldCounter.count { Self.write(status, to: &$0) }
        let size = FieldSizes.message(1, statusSize)
        FieldWriter.write(FieldSizes.message(field, size), into: &out) { out in
            out.begin(field, size: size)
            out.begin(1, size: statusSize)
            Self.write(status, to: &out)
        }
    }

    /// The same with the entry there is.
    /// - Returns: false, with nothing written, for an entry that cannot be shown.
    mutating func append(result status: RPCStatus?, _ entry: RegistrationEntry) -> Bool {
        let records = EntryRecords([entry])
        return unsafe records.withBytes { bytes in
            guard let record = records.records.first, let entry = unsafe Entry(record, of: records, bytes, ids) else {
                return false
            }
            let statusSize = FieldCounter.count { Self.write(status, to: &$0) }
            let entrySize = FieldCounter.count { Self.write(entry, mask, to: &$0) }
            let size = FieldSizes.message(1, statusSize) + FieldSizes.message(2, entrySize)
            FieldWriter.write(FieldSizes.message(field, size), into: &out) { out in
                out.begin(field, size: size)
                out.begin(1, size: statusSize)
                Self.write(status, to: &out)
                out.begin(2, size: entrySize)
                Self.write(entry, mask, to: &out)
            }
            return true
        }
    }

    /// Writes a field that follows the entries.
    mutating func append(_ field: UInt64, _ text: String) {
        FieldWriter.write(FieldCounter.count { $0.text(field, text) }, into: &out) { $0.text(field, text) }
    }

    mutating func append(_ field: UInt64, _ flag: Bool) {
        FieldWriter.write(FieldCounter.count { $0.flag(field, flag) }, into: &out) { $0.flag(field, flag) }
    }

    /// The message, ready to be sent; nothing stays here.
    /// - Throws: `resourceExhausted` when it is too large for gRPC.
    mutating func finished() throws -> ByteBuffer {
        var written = ByteBuffer()
        swap(&written, &out)
        return try HandwrittenMessage.end(written)
    }

    /// `spire.api.types.Entry`. Static, because a method that reads `self` while `out` is written would copy all that was
    /// written.
    private static func write(_ entry: borrowing Entry, _ mask: EntryMask, to out: inout some FieldSink) {
        let record = entry.record
        unsafe out.text(1, entry.bytes(record.id))
        if mask.contains(.spiffeID) { id(2, entry, record.spiffeID, entry.spiffeID, &out) }
        if mask.contains(.parentID) { id(3, entry, record.parentID, entry.parentID, &out) }
        if mask.contains(.selectors) {
            for selector in entry.records.selectors[record.selectors] {
                unsafe Self.selector(4, entry.bytes(selector.type), entry.bytes(selector.value), &out)
            }
        }
        if mask.contains(.x509SVIDTTL) { out.number(5, Int64(record.x509SVIDTTL)) }
        if mask.contains(.federatesWith) {
            for domain in entry.records.texts(record.federatesWith) { out.element(6, EntryMapping.trustDomainName(domain)) }
        }
        if mask.contains(.admin) { out.flag(7, record.admin) }
        if mask.contains(.downstream) { out.flag(8, record.downstream) }
        if mask.contains(.expiresAt) { out.number(9, record.expiresAt) }
        if mask.contains(.dnsNames) {
            for name in entry.records.texts[record.dnsNames] { unsafe out.element(10, entry.bytes(name)) }
        }
        if mask.contains(.revisionNumber) { out.number(11, record.revisionNumber) }
        if mask.contains(.storeSVID) { out.flag(12, record.storeSVID) }
        if mask.contains(.jwtSVIDTTL) { out.number(13, Int64(record.jwtSVIDTTL)) }
        if mask.contains(.hint) { unsafe out.text(14, entry.bytes(record.hint)) }
        if mask.contains(.createdAt) { out.number(15, record.createdAt) }
        if mask.contains(.additionalAttributes), let attributes = record.additionalAttributes {
            let first = attributes.disableX509SVIDPrefetch
            let second = attributes.jwtSVIDIncludeJTI
            out.begin(16, size: (first ? 2 : 0) + (second ? 2 : 0))
            out.flag(1, first)
            out.flag(2, second)
        }
    }

    private static func id(
        _ field: UInt64, _ entry: borrowing Entry, _ place: EntryRecords.Place, _ id: IDRules.Parts, _ out: inout some FieldSink
    ) {
        let path = unsafe UnsafeBufferPointer(rebasing: entry.bytes(place).dropFirst(id.pathStart))
        out.begin(field, size: FieldSizes.text(id.trustDomain.utf8.count) + FieldSizes.text(path.count))
        out.text(1, id.trustDomain)
        unsafe out.text(2, path)
    }

    private static func selector(
        _ field: UInt64, _ type: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>, _ out: inout some FieldSink
    ) {
        out.begin(field, size: FieldSizes.text(type.count) + FieldSizes.text(value.count))
        unsafe out.text(1, type)
        unsafe out.text(2, value)
    }

    /// `spire.api.types.Status`.
    private static func write(_ status: RPCStatus?, to out: inout some FieldSink) {
        out.number(1, status.map { Int64($0.code.rawValue) } ?? 0)
        out.text(2, status?.message ?? "OK")
    }

    /// An entry that can be shown, and where its texts are. Not to be kept after the call that `bytes` is from.
    @safe private struct Entry: ~Copyable {
        let record: EntryRecords.Record
        let records: EntryRecords
        let spiffeID: IDRules.Parts
        let parentID: IDRules.Parts
        private let buffer: UnsafeBufferPointer<UInt8>

        /// - Returns: `nil` when a stored ID is no SPIFFE ID.
        init?(
            _ record: EntryRecords.Record, of records: EntryRecords, _ buffer: UnsafeBufferPointer<UInt8>, _ rules: IDRules
        ) {
            guard let spiffeID = unsafe rules.parts(record.spiffeID.bytes(in: buffer)),
                let parentID = unsafe rules.parts(record.parentID.bytes(in: buffer))
            else { return nil }
            self.record = record
            self.records = records
            self.spiffeID = spiffeID
            self.parentID = parentID
            unsafe self.buffer = unsafe buffer
        }

        func bytes(_ place: EntryRecords.Place) -> UnsafeBufferPointer<UInt8> { unsafe place.bytes(in: buffer) }
    }
}
