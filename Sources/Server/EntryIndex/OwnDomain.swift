// SPDX-License-Identifier: Apache-2.0

import Groundwork

/// The trust domain whose entries a tree holds.
struct OwnDomain: Sendable {
    /// `spiffe://<trust domain>`.
    let prefix: String
    private let length: Int

    init(_ trustDomain: String) {
        prefix = "spiffe://" + trustDomain
        length = prefix.utf8.count
    }

    /// - Parameter id: Of this trust domain.
    func withPath<Result>(of id: String, _ body: (PackedTexts.Text) -> Result) -> Result {
        PackedTexts.Text.with(id, from: length, body)
    }

    /// - Parameter id: Of this trust domain.
    func path(of id: UnsafeBufferPointer<UInt8>) -> PackedTexts.Text {
        unsafe PackedTexts.Text(UnsafeBufferPointer(rebasing: id.dropFirst(length)))
    }

    /// The path of an ID of this trust domain; `nil` for another's and for what is no SPIFFE ID.
    func path(of id: String) -> String? {
        contains(id) ? String(Substring(id.utf8.dropFirst(length))) : nil
    }

    func contains(_ id: String) -> Bool {
        var id = id
        return id.withUTF8 { unsafe contains($0) }
    }

    /// Whether a text is a SPIFFE ID of this trust domain.
    ///
    /// > Spec: SPIFFE-ID §2.2.
    func contains(_ id: UnsafeBufferPointer<UInt8>) -> Bool {
        var prefix = prefix
        return prefix.withUTF8 { prefix in
            unsafe id.begins(with: prefix) && Self.isPath(UnsafeBufferPointer(rebasing: id.dropFirst(prefix.count)))
        }
    }

    private static func isPath(_ path: UnsafeBufferPointer<UInt8>) -> Bool {
        guard let last = unsafe path.last else { return true }
        guard unsafe path[0] == UInt8(ascii: "/"), last != UInt8(ascii: "/") else { return false }
        var length = 0
        var dots = 0
        for unsafe byte in unsafe path.dropFirst() {
            switch byte {
            case UInt8(ascii: "/"):
                if length == 0 || (dots == length && length <= 2) { return false }
                length = 0
                dots = 0
                continue
            case UInt8(ascii: "."): dots += 1
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
                break
            default: return false
            }
            length += 1
        }
        return !(dots == length && length <= 2)
    }
}
