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

    mutating func append(contentsOf entries: [RegistrationEntry]) {
        // By index: a loop over the entries themselves would copy each, which is to count up all that it refers to.
        for index in entries.indices where !append(entries[index]) { unreadable.append(entries[index].id) }
    }

    private mutating func append(_ entry: RegistrationEntry) -> Bool {
        guard let ids = IDs(entry, ids) else { return false }
        let size = FieldCounter.count { Self.write(entry, ids, mask, to: &$0) }
        FieldWriter.write(FieldSizes.message(field, size), into: &out) { out in
            out.begin(field, size: size)
            Self.write(entry, ids, mask, to: &out)
        }
        count += 1
        return true
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
        guard let ids = IDs(entry, ids) else { return false }
        let statusSize = FieldCounter.count { Self.write(status, to: &$0) }
        let entrySize = FieldCounter.count { Self.write(entry, ids, mask, to: &$0) }
        let size = FieldSizes.message(1, statusSize) + FieldSizes.message(2, entrySize)
        FieldWriter.write(FieldSizes.message(field, size), into: &out) { out in
            out.begin(field, size: size)
            out.begin(1, size: statusSize)
            Self.write(status, to: &out)
            out.begin(2, size: entrySize)
            Self.write(entry, ids, mask, to: &out)
        }
        return true
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
    private static func write(
        _ entry: RegistrationEntry, _ ids: IDs, _ mask: EntryMask, to out: inout some FieldSink
    ) {
        out.text(1, entry.id)
        if mask.contains(.spiffeID) { id(2, ids.spiffeID, &out) }
        if mask.contains(.parentID) { id(3, ids.parentID, &out) }
        if mask.contains(.selectors) { for selector in entry.selectors { Self.selector(4, selector, &out) } }
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
            out.begin(16, size: (first ? 2 : 0) + (second ? 2 : 0))
            out.flag(1, first)
            out.flag(2, second)
        }
    }

    private static func id(_ field: UInt64, _ id: IDRules.Parts, _ out: inout some FieldSink) {
        out.begin(field, size: FieldSizes.text(id.trustDomain.utf8.count) + FieldSizes.text(id.pathLength))
        out.text(1, id.trustDomain)
        if id.pathLength > 0 { out.element(2, id.text, from: id.pathStart) }
    }

    private static func selector(_ field: UInt64, _ selector: Selector, _ out: inout some FieldSink) {
        out.begin(field, size: FieldSizes.text(selector.type.utf8.count) + FieldSizes.text(selector.value.utf8.count))
        out.text(1, selector.type)
        out.text(2, selector.value)
    }

    /// `spire.api.types.Status`.
    private static func write(_ status: RPCStatus?, to out: inout some FieldSink) {
        out.number(1, status.map { Int64($0.code.rawValue) } ?? 0)
        out.text(2, status?.message ?? "OK")
    }

    private struct IDs {
        let spiffeID: IDRules.Parts
        let parentID: IDRules.Parts

        /// - Returns: `nil` when a stored ID is no SPIFFE ID.
        init?(_ entry: RegistrationEntry, _ rules: IDRules) {
            guard let spiffeID = rules.parts(entry.spiffeID), let parentID = rules.parts(entry.parentID) else { return nil }
            self.spiffeID = spiffeID
            self.parentID = parentID
        }
    }
}
