// SPDX-License-Identifier: Apache-2.0

/// `google.rpc.Status` as `grpc-status-details-bin` carries it: code = 1, message = 2, details = 3 (`Any`: type_url = 1,
/// value = 2). Written out by hand because it is three fields, and this layer has no generated code.
package enum StatusDetails {
    package static func encode(_ status: RPCStatus) -> [UInt8] {
        var out: [UInt8] = []
        if status.code.rawValue != 0 {
            out.append(0x08)
            varint(UInt64(status.code.rawValue), into: &out)
        }
        if !status.message.isEmpty { field(0x12, Array(status.message.utf8), into: &out) }
        for detail in status.details {
            var any: [UInt8] = []
            if !detail.typeURL.isEmpty { field(0x0a, Array(detail.typeURL.utf8), into: &any) }
            if !detail.value.isEmpty { field(0x12, detail.value, into: &any) }
            field(0x1a, any, into: &out)
        }
        return out
    }

    /// - Returns: `nil` for bytes that are not such a message.
    package static func decode(_ bytes: [UInt8]) -> RPCStatus? {
        var status = RPCStatus(.ok, "")
        let sound = fields(bytes[...]) { number, value in
            switch (number, value) {
            case (1, .varint(let code)): status.code = Int(exactly: code).flatMap(StatusCode.init) ?? .unknown
            case (2, .bytes(let text)): status.message = String(decoding: text, as: UTF8.self)
            case (3, .bytes(let any)):
                var detail = RPCStatus.Detail(typeURL: "", value: [])
                let sound = fields(any) { number, value in
                    guard case .bytes(let content) = value else { return true }
                    if number == 1 { detail.typeURL = String(decoding: content, as: UTF8.self) }
                    if number == 2 { detail.value = Array(content) }
                    return true
                }
                guard sound else { return false }
                status.details.append(detail)
            default: break
            }
            return true
        }
        return sound ? status : nil
    }

    private enum Value {
        case varint(UInt64)
        case bytes(ArraySlice<UInt8>)
        case skipped
    }

    private static func varint(_ value: UInt64, into out: inout [UInt8]) {
        var rest = value
        while rest >= 0x80 {
            out.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        out.append(UInt8(rest))
    }

    private static func field(_ tag: UInt8, _ content: [UInt8], into out: inout [UInt8]) {
        out.append(tag)
        varint(UInt64(content.count), into: &out)
        out.append(contentsOf: content)
    }

    private static func fields(_ bytes: ArraySlice<UInt8>, _ each: (UInt64, Value) -> Bool) -> Bool {
        var rest = bytes
        while !rest.isEmpty {
            guard let tag = readVarint(&rest) else { return false }
            let value: Value
            switch tag & 7 {
            case 0:
                guard let number = readVarint(&rest) else { return false }
                value = .varint(number)
            case 1:
                guard rest.count >= 8 else { return false }
                rest = rest.dropFirst(8)
                value = .skipped
            case 2:
                guard let count = readVarint(&rest), count <= UInt64(rest.count) else { return false }
                value = .bytes(rest.prefix(Int(count)))
                rest = rest.dropFirst(Int(count))
            case 5:
                guard rest.count >= 4 else { return false }
                rest = rest.dropFirst(4)
                value = .skipped
            default: return false
            }
            guard each(tag >> 3, value) else { return false }
        }
        return true
    }

    private static func readVarint(_ rest: inout ArraySlice<UInt8>) -> UInt64? {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 70, by: 7) {
            guard let byte = rest.popFirst() else { return nil }
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return value }
        }
        return nil
    }
}
