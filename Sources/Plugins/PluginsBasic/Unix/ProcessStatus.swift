// SPDX-License-Identifier: Apache-2.0

/// What the kernel says about a process in `/proc/<pid>/status`, as far as attestation needs it.
struct ProcessStatus: Sendable, Hashable {
    /// Effective IDs.
    var uid: UInt32
    var gid: UInt32
    var groups: [UInt32]

    /// The longest list of groups Linux lets a process have.
    static let maximumGroups = 65_536

    /// Parses the file. Only the lines it needs; a process cannot forge them, since its name is escaped by the kernel.
    /// - Returns: `nil` and the name of the missing or malformed line.
    static func parse(_ text: [UInt8]) -> Result<ProcessStatus, MalformedLine> {
        var uid: UInt32?
        var gid: UInt32?
        var groups: [UInt32]?
        var rest = text[...]
        while !rest.isEmpty {
            let line = rest[..<(rest.firstIndex(of: UInt8(ascii: "\n")) ?? rest.endIndex)]
            rest = rest.dropFirst(line.count + 1)
            if uid == nil, let values = line.after("Uid:") {
                guard let ids = numbers(values), ids.count >= 2 else { return .failure(.uid) }
                uid = ids[1]
            } else if gid == nil, let values = line.after("Gid:") {
                guard let ids = numbers(values), ids.count >= 2 else { return .failure(.gid) }
                gid = ids[1]
            } else if groups == nil, let values = line.after("Groups:") {
                guard let ids = numbers(values), ids.count <= maximumGroups else { return .failure(.groups) }
                groups = ids
                break
            }
        }
        guard let uid else { return .failure(.uid) }
        guard let gid else { return .failure(.gid) }
        guard let groups else { return .failure(.groups) }
        return .success(ProcessStatus(uid: uid, gid: gid, groups: groups))
    }

    enum MalformedLine: String, Error, Sendable {
        case uid = "UIDs lookup"
        case gid = "GIDs lookup"
        case groups = "supplementary GIDs lookup"
    }

    private static func numbers(_ bytes: ArraySlice<UInt8>) -> [UInt32]? {
        var out: [UInt32] = []
        var current: UInt64?
        for byte in bytes {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                let value = (current ?? 0) * 10 + UInt64(byte - UInt8(ascii: "0"))
                guard value <= UInt64(UInt32.max) else { return nil }
                current = value
            case 0x20, 0x09:
                if let value = current { out.append(UInt32(value)) }
                current = nil
            default:
                return nil
            }
        }
        if let value = current { out.append(UInt32(value)) }
        return out
    }
}

extension ArraySlice<UInt8> {
    /// What follows `prefix`; `nil` when the slice does not begin with it.
    fileprivate func after(_ prefix: StaticString) -> ArraySlice<UInt8>? {
        let count = prefix.utf8CodeUnitCount
        guard self.count >= count else { return nil }
        return prefix.withUTF8Buffer { expected in
            self.prefix(count).elementsEqual(expected) ? self.dropFirst(count) : nil
        }
    }
}
