// SPDX-License-Identifier: Apache-2.0

/// A SPIFFE ID: a trust domain and a path, `spiffe://<trust domain><path>`.
///
/// Parsing is total and never normalises. At most 2,048 bytes; the trust domain at most 255.
/// > Spec: SPIFFE-ID §2.
public struct SPIFFEID: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// Most bytes of a whole SPIFFE ID.
    public static let maximumLength = 2048
    /// Most bytes of a trust domain name.
    public static let maximumTrustDomainLength = 255

    /// The part between scheme and path.
    public let trustDomain: TrustDomain
    /// Empty, or segments each preceded by a slash.
    public let path: String

    /// Parses the text form.
    /// - Throws: `invalid_id` with the rule that was broken.
    public init(_ text: String) throws(SPIFFEError) {
        var text = text
        text.makeContiguousUTF8()
        let bytes = text.utf8
        guard !bytes.isEmpty else { throw SPIFFEError(.invalidID, "cannot be empty") }
        guard bytes.starts(with: Self.prefix) else {
            throw SPIFFEError(.invalidID, "scheme is missing or invalid")
        }
        guard bytes.count <= Self.maximumLength else {
            throw SPIFFEError(.invalidID, "SPIFFE ID is longer than \(Self.maximumLength) bytes")
        }
        let rest = bytes.dropFirst(Self.prefix.count)
        let slash = rest.firstIndex(of: UInt8(ascii: "/")) ?? rest.endIndex
        try Self.checkTrustDomain(rest[..<slash])
        try Self.checkPath(rest[slash...])
        // Only ASCII is left: cutting by bytes cuts between characters.
        trustDomain = TrustDomain(checked: String(text[rest.startIndex..<slash]))
        path = String(text[slash...])
    }

    /// Joins a trust domain and a path. The path is empty or begins with a slash.
    /// - Throws: `invalid_id`.
    public init(_ trustDomain: TrustDomain, path: String) throws(SPIFFEError) {
        try Self.checkPath(path[...].utf8)
        guard Self.prefix.count + trustDomain.name.utf8.count + path.utf8.count <= Self.maximumLength else {
            throw SPIFFEError(.invalidID, "SPIFFE ID is longer than \(Self.maximumLength) bytes")
        }
        self.trustDomain = trustDomain
        self.path = path
    }

    init(checked trustDomain: TrustDomain, path: String) {
        self.trustDomain = trustDomain
        self.path = path
    }

    public var description: String { "spiffe://" + trustDomain.name + path }

    /// Whether the ID belongs to `trustDomain`.
    public func isMember(of trustDomain: TrustDomain) -> Bool { self.trustDomain == trustDomain }

    /// Orders by trust domain, then path, byte by byte.
    public static func < (a: SPIFFEID, b: SPIFFEID) -> Bool {
        (a.trustDomain, a.path) < (b.trustDomain, b.path)
    }

    private static let prefix = Array("spiffe://".utf8)

    static func checkTrustDomain(_ name: some Collection<UInt8>) throws(SPIFFEError) {
        guard !name.isEmpty else { throw SPIFFEError(.invalidID, "trust domain is missing") }
        for byte in name {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"),
                UInt8(ascii: "."), UInt8(ascii: "_"):
                continue
            default:
                throw SPIFFEError(
                    .invalidID,
                    "trust domain characters are limited to lowercase letters, numbers, dots, dashes, and underscores")
            }
        }
        guard name.count <= maximumTrustDomainLength else {
            throw SPIFFEError(.invalidID, "trust domain is longer than \(maximumTrustDomainLength) bytes")
        }
    }

    static func checkPath(_ path: Substring.UTF8View) throws(SPIFFEError) {
        guard let first = path.first else { return }
        guard first == UInt8(ascii: "/") else { throw SPIFFEError(.invalidID, "path must have a leading slash") }
        var length = 0
        var onlyDots = true
        for byte in path.dropFirst() {
            switch byte {
            case UInt8(ascii: "/"):
                if length == 0 { throw SPIFFEError(.invalidID, "path cannot contain empty segments") }
                if onlyDots, length <= 2 { throw SPIFFEError(.invalidID, "path cannot contain dot segments") }
                length = 0
                onlyDots = true
                continue
            case UInt8(ascii: "."):
                break
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
                onlyDots = false
            default:
                throw SPIFFEError(
                    .invalidID,
                    "path segment characters are limited to letters, numbers, dots, dashes, and underscores")
            }
            length += 1
        }
        if length == 0 { throw SPIFFEError(.invalidID, "path cannot have a trailing slash") }
        if onlyDots, length <= 2 { throw SPIFFEError(.invalidID, "path cannot contain dot segments") }
    }
}
