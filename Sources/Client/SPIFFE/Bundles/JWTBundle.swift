// SPDX-License-Identifier: Apache-2.0

/// A public key that signs JWT-SVIDs, with the ID tokens name it by.
public struct JWTAuthority: Sendable, Hashable {
    /// The `kid` of the tokens it signs. Opaque, compared byte by byte.
    public let keyID: String
    public let publicKey: PublicKey

    public init(keyID: String, publicKey: PublicKey) {
        self.keyID = keyID
        self.publicKey = publicKey
    }
}

/// The JWT authorities of one trust domain: what its JWT-SVIDs are verified against.
public struct JWTBundle: Sendable, Hashable {
    public let trustDomain: TrustDomain
    /// In the order they were given. Key IDs are unique: a later one replaces an earlier one.
    public var authorities: [JWTAuthority] { list.authorities }

    private var list: JWTAuthorityList

    public init(_ trustDomain: TrustDomain, authorities: [JWTAuthority] = []) {
        self.trustDomain = trustDomain
        list = JWTAuthorityList(authorities)
    }

    /// The key tokens with this `kid` are signed with.
    public func authority(keyID: String) -> PublicKey? { list[keyID] }

    /// Adds an authority, replacing one with the same key ID.
    /// - Throws: `invalid_bundle` when the key ID is empty.
    public mutating func add(_ authority: JWTAuthority) throws(SPIFFEError) {
        guard !authority.keyID.isEmpty else { throw SPIFFEError(.invalidBundle, "keyID cannot be empty") }
        list.add(authority)
    }

    /// Removes the authority with this key ID if there is one.
    public mutating func remove(keyID: String) { list.remove(keyID) }
}

extension JWTBundle: JWTBundleSource {
    /// Returns itself for its own trust domain.
    public func jwtBundle(for trustDomain: TrustDomain) throws -> JWTBundle {
        guard trustDomain == self.trustDomain else { throw SPIFFEError.noBundle("JWT", trustDomain) }
        return self
    }
}

/// Keeps order and finds by key ID, byte by byte: to a `String` two spellings of one letter are equal.
struct JWTAuthorityList: Sendable, Hashable {
    private(set) var authorities: [JWTAuthority] = []
    private var places: [[UInt8]: Int] = [:]

    init(_ authorities: [JWTAuthority]) {
        for authority in authorities { add(authority) }
    }

    subscript(keyID: String) -> PublicKey? { places[Array(keyID.utf8)].map { authorities[$0].publicKey } }

    mutating func add(_ authority: JWTAuthority) {
        let key = Array(authority.keyID.utf8)
        if let place = places[key] {
            authorities[place] = authority
        } else {
            places[key] = authorities.count
            authorities.append(authority)
        }
    }

    mutating func remove(_ keyID: String) {
        guard let place = places[Array(keyID.utf8)] else { return }
        var rest = authorities
        rest.remove(at: place)
        self = JWTAuthorityList(rest)
    }
}
