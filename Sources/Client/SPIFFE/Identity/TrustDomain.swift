// SPDX-License-Identifier: Apache-2.0

/// The name of a trust domain, such as `example.org`.
///
/// Names are taken as they are, never normalised: an upper-case letter is an error.
/// > Spec: SPIFFE-ID §2.1.
public struct TrustDomain: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// The bare name, without scheme.
    public let name: String

    /// Parses a bare name (`example.org`) or a SPIFFE ID (`spiffe://example.org/any`), whose trust domain is taken.
    /// - Throws: `invalid_id`.
    public init(_ nameOrID: String) throws(SPIFFEError) {
        if nameOrID.contains(":/") {
            self = try SPIFFEID(nameOrID).trustDomain
        } else {
            try SPIFFEID.checkTrustDomain(nameOrID.utf8)
            name = nameOrID
        }
    }

    init(checked name: String) { self.name = name }

    /// The SPIFFE ID of the trust domain itself, `spiffe://<name>`.
    public var id: SPIFFEID { SPIFFEID(checked: self, path: "") }

    public var description: String { name }

    public static func < (a: TrustDomain, b: TrustDomain) -> Bool { a.name < b.name }
}
