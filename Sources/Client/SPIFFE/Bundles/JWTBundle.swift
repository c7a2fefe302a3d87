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

/// Keeps order and finds by key ID.
struct JWTAuthorityList: Sendable, Hashable {
    private(set) var authorities: [JWTAuthority] = []
    private var places: [String: Int] = [:]

    init(_ authorities: [JWTAuthority]) {
        for authority in authorities { add(authority) }
    }

    subscript(keyID: String) -> PublicKey? { places[keyID].map { authorities[$0].publicKey } }

    mutating func add(_ authority: JWTAuthority) {
        if let place = places[authority.keyID] {
            authorities[place] = authority
        } else {
            places[authority.keyID] = authorities.count
            authorities.append(authority)
        }
    }

    mutating func remove(_ keyID: String) {
        guard places[keyID] != nil else { return }
        self = JWTAuthorityList(authorities.filter { $0.keyID != keyID })
    }
}
