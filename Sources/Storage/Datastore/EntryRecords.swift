// SPDX-License-Identifier: Apache-2.0

import Groundwork

/// Entries without an object for each of their texts: all texts stand in one buffer, the entries know the places.
///
/// For what goes through all entries there are, listings and the loading of an index: an object for every text would cost
/// more than reading it. The texts are valid UTF-8.
package struct EntryRecords: Sendable {
    /// Where a text stands in the buffer; of use only with the records that gave it out.
    package struct Place: Sendable, Equatable {
        fileprivate var start = 0
        fileprivate var count = 0

        package init() {}

        package var isEmpty: Bool { count == 0 }
    }

    /// One entry; fields as those of `RegistrationEntry`.
    package struct Record: Sendable {
        package var id = Place()
        package var spiffeID = Place()
        package var parentID = Place()
        package var hint = Place()
        /// Of `selectors`.
        package var selectors = 0..<0
        /// Of `texts`.
        package var dnsNames = 0..<0
        /// Of `texts`.
        package var federatesWith = 0..<0
        package var x509SVIDTTL: Int32 = 0
        package var jwtSVIDTTL: Int32 = 0
        package var admin = false
        package var downstream = false
        package var storeSVID = false
        package var additionalAttributes: RegistrationEntry.AdditionalAttributes?
        package var expiresAt: Int64 = 0
        package var revisionNumber: Int64 = 0
        package var createdAt: Int64 = 0

        package init() {}
    }

    package var records: [Record] = []
    /// Selectors of all the records.
    package var selectors: [(type: Place, value: Place)] = []
    /// Texts of which the records have several.
    package var texts: [Place] = []
    private var bytes: [UInt8] = []

    package init() {}

    package init(_ entries: [RegistrationEntry]) {
        records.reserveCapacity(entries.count)
        for entry in entries { append(entry) }
    }

    package var count: Int { records.count }

    // MARK: Putting in

    /// Keeps a text; what is no UTF-8 is replaced as `String(decoding:as:)` does.
    package mutating func put(_ text: UnsafeBufferPointer<UInt8>) -> Place {
        var place = Place()
        place.start = bytes.count
        if unsafe Self.isASCII(text) {
            unsafe bytes.append(contentsOf: text)
        } else {
            unsafe bytes.append(contentsOf: String(decoding: text, as: UTF8.self).utf8)
        }
        place.count = bytes.count - place.start
        return place
    }

    /// Keeps a text, unless it is the one at `known`: then that place is it.
    package mutating func put(_ text: UnsafeBufferPointer<UInt8>, unless known: Place) -> Place {
        let isKnown = unsafe bytes.withUnsafeBufferPointer { bytes in
            unsafe known.bytes(in: bytes).isSame(as: text)
        }
        return unsafe isKnown ? known : put(text)
    }

    /// Keeps a text in two parts, the first of which is UTF-8.
    package mutating func put(_ first: String, _ second: UnsafeBufferPointer<UInt8>) -> Place {
        var place = put(first)
        place.count += unsafe put(second).count
        return place
    }

    /// Keeps a text.
    package mutating func put(_ text: String) -> Place {
        var place = Place()
        place.start = bytes.count
        bytes.append(contentsOf: text.utf8)
        place.count = bytes.count - place.start
        return place
    }

    private mutating func append(_ entry: RegistrationEntry) {
        var record = Record()
        record.id = put(entry.id)
        record.spiffeID = put(entry.spiffeID)
        record.parentID = put(entry.parentID)
        record.hint = put(entry.hint)
        let firstSelector = selectors.count
        for selector in entry.selectors { selectors.append((put(selector.type), put(selector.value))) }
        record.selectors = firstSelector..<selectors.count
        record.dnsNames = put(entry.dnsNames)
        record.federatesWith = put(entry.federatesWith)
        record.x509SVIDTTL = entry.x509SVIDTTL
        record.jwtSVIDTTL = entry.jwtSVIDTTL
        record.admin = entry.admin
        record.downstream = entry.downstream
        record.storeSVID = entry.storeSVID
        record.additionalAttributes = entry.additionalAttributes
        record.expiresAt = entry.expiresAt
        record.revisionNumber = entry.revisionNumber
        record.createdAt = entry.createdAt
        records.append(record)
    }

    /// Keeps several texts of one record.
    /// - Returns: where their places stand in `texts`.
    package mutating func put(_ list: [String]) -> Range<Int> {
        let first = texts.count
        for text in list { texts.append(put(text)) }
        return first..<texts.count
    }

    // MARK: Taking out

    /// The buffer, for `Place.bytes(in:)`; good only during the call.
    package func withBytes<Result>(
        _ body: (UnsafeBufferPointer<UInt8>) throws -> Result
    ) rethrows -> Result {
        try unsafe bytes.withUnsafeBufferPointer { try unsafe body($0) }
    }

    package func text(_ place: Place) -> String {
        unsafe withBytes { unsafe String(decoding: place.bytes(in: $0), as: UTF8.self) }
    }

    package func texts(_ range: Range<Int>) -> [String] { range.isEmpty ? [] : texts[range].map { text($0) } }

    /// All of them as objects. Entries of one parent that follow each other share its text.
    package var entries: [RegistrationEntry] {
        var parent = Place()
        var parentID = ""
        var type = Place()
        var typeText = ""
        return records.map { record in
            if record.parentID != parent {
                parent = record.parentID
                parentID = text(parent)
            }
            var entry = RegistrationEntry()
            entry.id = text(record.id)
            entry.spiffeID = text(record.spiffeID)
            entry.parentID = parentID
            entry.selectors = selectors[record.selectors].map { selector in
                if selector.type != type {
                    type = selector.type
                    typeText = text(type)
                }
                return Selector(type: typeText, value: text(selector.value))
            }
            entry.x509SVIDTTL = record.x509SVIDTTL
            entry.jwtSVIDTTL = record.jwtSVIDTTL
            entry.federatesWith = texts(record.federatesWith)
            entry.dnsNames = texts(record.dnsNames)
            entry.admin = record.admin
            entry.downstream = record.downstream
            entry.storeSVID = record.storeSVID
            entry.hint = text(record.hint)
            entry.expiresAt = record.expiresAt
            entry.revisionNumber = record.revisionNumber
            entry.createdAt = record.createdAt
            entry.additionalAttributes = record.additionalAttributes
            return entry
        }
    }

    private static func isASCII(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
        let bytes = unsafe UnsafeRawBufferPointer(text)
        var at = 0
        while at + 8 <= bytes.count {
            if unsafe bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self) & 0x8080_8080_8080_8080 != 0 { return false }
            at += 8
        }
        while at < bytes.count {
            if unsafe bytes[at] & 0x80 != 0 { return false }
            at += 1
        }
        return true
    }
}

extension EntryRecords.Place {
    /// - Parameter buffer: Of the records that gave the place out.
    package func bytes(in buffer: UnsafeBufferPointer<UInt8>) -> UnsafeBufferPointer<UInt8> {
        precondition(start + count <= buffer.count)
        return unsafe UnsafeBufferPointer(rebasing: buffer[start..<start + count])
    }
}
