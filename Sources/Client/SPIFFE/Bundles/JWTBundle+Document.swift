// SPDX-License-Identifier: Apache-2.0

extension JWTBundle {
    /// Parses a JWK set, as the Workload API sends JWT bundles: keys without `use`, each with a `kid`.
    ///
    /// Entries of unknown key type, and entries with a `use` of other documents than JWT-SVIDs, are passed over.
    /// - Parameter jwks: JSON in UTF-8, at most 8 MiB.
    /// - Throws: `invalid_bundle`, also for an entry without key ID.
    /// > Spec: Workload API §6.2.2.
    public init(_ trustDomain: TrustDomain, jwks: [UInt8]) throws(SPIFFEError) {
        guard let keys = try JWKSet.keys(try JWKSet.object(jwks)) else {
            throw SPIFFEError(.invalidBundle, "no authorities found")
        }
        var authorities: [JWTAuthority] = []
        for (index, key) in keys.enumerated() {
            guard let entry = key.object else {
                throw SPIFFEError(.invalidBundle, "key entry \(index) is not an object")
            }
            if let use = entry["use"]?.string, use != "jwt-svid", use != "sig" { continue }
            guard let keyID = entry["kid"]?.string, !keyID.isEmpty else {
                throw SPIFFEError(
                    .invalidBundle, "error adding authority \(index) of JWKS: keyID cannot be empty")
            }
            if let authority = try JWKSet.authority(entry, index, keyID: keyID, .tolerant) {
                authorities.append(authority)
            }
        }
        self.init(trustDomain, authorities: authorities)
    }

    /// The bundle as a JWK set: JSON in UTF-8, indented by four spaces, without `use` and SPIFFE members.
    public func jwks() throws(SPIFFEError) -> [UInt8] {
        var keys: [JSONValue] = []
        for authority in authorities {
            keys.append(.object(try JWK.members(of: authority.publicKey, use: nil, keyID: authority.keyID)))
        }
        return JSONValue.object(["keys": .array(keys)]).text(indent: 4)
    }
}

/// What all readers of JWK sets share.
enum JWKSet {
    static func object(_ document: [UInt8]) throws(SPIFFEError) -> JSONObject {
        let value: JSONValue
        do {
            value = try JSONValue.parse(
                document, maximumLength: SPIFFEBundle.maximumDocumentLength, maximumDepth: 16)
        } catch {
            throw SPIFFEError(.invalidBundle, "unable to parse JWKS: \(error.message)")
        }
        guard let object = value.object else {
            throw SPIFFEError(.invalidBundle, "unable to parse JWKS: not an object")
        }
        return object
    }

    /// The entries; `nil` when there is no list of keys at all.
    static func keys(_ object: JSONObject) throws(SPIFFEError) -> [JSONValue]? {
        switch object["keys"] {
        case .array(let keys)?: return keys
        case nil, .null?: return nil
        default: throw SPIFFEError(.invalidBundle, "unable to parse JWKS: keys is not an array")
        }
    }

    static func authority(
        _ entry: JSONObject, _ index: Int, keyID: String, _ reading: BundleReading
    ) throws(SPIFFEError) -> JWTAuthority? {
        do {
            if let key = try JWK.publicKey(entry) { return JWTAuthority(keyID: keyID, publicKey: key) }
        } catch {
            throw SPIFFEError(.invalidBundle, "key entry \(index): \(error.message)")
        }
        guard reading == .tolerant else {
            throw SPIFFEError(.invalidBundle, "unknown key type in key entry \(index)")
        }
        return nil
    }
}
