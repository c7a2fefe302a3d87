// SPDX-License-Identifier: Apache-2.0

/// The two facts the datastore needs about a stored root certificate.
///
/// > Spec: RFC 5280 §4.1, §4.2.1.2; DER as in X.690.
struct CertificateFacts {
    /// Unix seconds.
    var notAfter: Int64 = 0
    /// Lower-case hex of the subject key identifier extension; empty without one.
    var subjectKeyID = ""

    /// - Returns: `nil` for what is not a certificate.
    init?(der: [UInt8]) {
        var outer = DERReader(der[...])
        guard var certificate = outer.inside(0x30), var body = certificate.inside(0x30) else { return nil }
        if body.nextTag == 0xa0 { _ = body.element() }
        // Serial number, signature algorithm, issuer.
        guard body.element() != nil, body.element() != nil, body.element() != nil,
            var validity = body.inside(0x30), validity.element() != nil, let end = validity.element(),
            let seconds = Self.seconds(end)
        else { return nil }
        notAfter = seconds
        // Subject, public key, then perhaps unique identifiers and the extensions.
        guard body.element() != nil, body.element() != nil else { return }
        while let part = body.element() {
            guard part.tag == 0xa3 else { continue }
            var wrapper = DERReader(part.content)
            guard var list = wrapper.inside(0x30) else { return }
            while var entry = list.inside(0x30) {
                guard let name = entry.element(), name.tag == 0x06, name.content.elementsEqual([0x55, 0x1d, 0x0e])
                else { continue }
                if entry.nextTag == 0x01 { _ = entry.element() }
                guard let value = entry.element(), value.tag == 0x04 else { return }
                var inner = DERReader(value.content)
                if let key = inner.element(), key.tag == 0x04 { subjectKeyID = Self.hex(key.content) }
                return
            }
        }
    }

    private static func hex(_ bytes: ArraySlice<UInt8>) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    private static func seconds(_ time: DERReader.Element) -> Int64? {
        var digits = time.content.map { Int64($0) - 48 }
        guard digits.popLast() == Int64(UInt8(ascii: "Z")) - 48, digits.allSatisfy({ (0...9).contains($0) }) else {
            return nil
        }
        if time.tag == 0x17, digits.count == 12 {
            digits = (digits[0] >= 5 ? [1, 9] : [2, 0]) + digits
        }
        guard digits.count == 14 else { return nil }
        func two(_ at: Int) -> Int64 { digits[at] * 10 + digits[at + 1] }
        let year = two(0) * 100 + two(2)
        let month = two(4)
        // Days since 1970-01-01 by years that start in March.
        let shifted = month <= 2 ? year - 1 : year
        let era = shifted / 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + two(6) - 1
        let yearOfEra = shifted - era * 400
        let days = era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
        return days * 86_400 + two(8) * 3600 + two(10) * 60 + two(12)
    }
}

/// A cursor over DER elements; never reads outside its slice.
private struct DERReader {
    struct Element {
        var tag: UInt8
        var content: ArraySlice<UInt8>
    }

    private var rest: ArraySlice<UInt8>
    init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

    var nextTag: UInt8? { rest.first }

    mutating func element() -> Element? {
        guard let tag = rest.popFirst(), let first = rest.popFirst() else { return nil }
        var length = Int(first)
        if first & 0x80 != 0 {
            let count = Int(first & 0x7f)
            guard count > 0, count <= 4 else { return nil }
            length = 0
            for _ in 0..<count {
                guard let byte = rest.popFirst() else { return nil }
                length = length << 8 | Int(byte)
            }
        }
        guard length <= rest.count else { return nil }
        let content = rest.prefix(length)
        rest = rest.dropFirst(length)
        return Element(tag: tag, content: content)
    }

    mutating func inside(_ tag: UInt8) -> DERReader? {
        guard rest.first == tag, let element = element() else { return nil }
        return DERReader(element.content)
    }
}
