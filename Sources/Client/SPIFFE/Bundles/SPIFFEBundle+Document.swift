// SPDX-License-Identifier: Apache-2.0

import X509

extension SPIFFEBundle {
    /// Most bytes of a bundle document.
    public static let maximumDocumentLength = 8 << 20

    /// Parses a SPIFFE bundle document.
    /// - Parameters:
    ///   - document: JSON in UTF-8, at most 8 MiB.
    ///   - reading: What to do about entries the standard tells consumers to ignore.
    /// - Throws: `invalid_bundle`.
    /// > Spec: Trust Domain and Bundle §4; X509-SVID §6; JWT-SVID §6.
    public init(
        _ trustDomain: TrustDomain, document: [UInt8], reading: BundleReading = .tolerant
    ) throws(SPIFFEError) {
        let object = try JWKSet.object(document)
        guard let keys = try JWKSet.keys(object) else {
            throw SPIFFEError(.invalidBundle, "no authorities found")
        }
        self.init(
            trustDomain, sequenceNumber: try Self.number(object, "spiffe_sequence"),
            refreshHint: try Self.hint(object))
        var reader = EntryReader(reading: reading)
        for (index, key) in keys.enumerated() { try reader.read(key, index: index) }
        x509Authorities = reader.x509
        jwtAuthorities = reader.jwt
        witAuthorities = reader.wit
    }

    /// The bundle as a document: JSON in UTF-8, indented by four spaces, without a final newline.
    ///
    /// A sequence number or refresh hint of zero is left out.
    /// - Throws: `invalid_key` when an X.509 authority has a key that no JWK can express.
    public func document() throws(SPIFFEError) -> [UInt8] {
        var keys: [JSONValue] = []
        for authority in x509Authorities {
            let key: PublicKey
            do {
                key = try PublicKey(authority.publicKey)
            } catch {
                throw SPIFFEError(.invalidKey, "key of an X.509 authority cannot be written as a JWK")
            }
            var entry = try JWK.members(of: key, use: "x509-svid", keyID: nil)
            entry["x5c"] = .array([.string(Base64.encode(authority.der, .standard))])
            keys.append(.object(entry))
        }
        for authority in jwtAuthorities {
            keys.append(.object(try JWK.members(of: authority.publicKey, use: "jwt-svid", keyID: authority.keyID)))
        }
        for authority in witAuthorities {
            keys.append(.object(try JWK.members(of: authority.publicKey, use: "wit-svid", keyID: authority.keyID)))
        }
        var object: JSONObject = ["keys": .array(keys)]
        if sequenceNumber > 0 { object["spiffe_sequence"] = .number(String(sequenceNumber)) }
        if let seconds = refreshHint?.components.seconds, seconds > 0 {
            object["spiffe_refresh_hint"] = .integer(seconds)
        }
        return JSONValue.object(object).text(indent: 4)
    }

    private static func number(_ object: JSONObject, _ name: String) throws(SPIFFEError) -> UInt64 {
        switch object[name] {
        case nil, .null?: return 0
        case .number(let digits)?:
            if let value = UInt64(digits) { return value }
            fallthrough
        default: throw SPIFFEError(.invalidBundle, "\(name) is not an unsigned integer of 64 bits")
        }
    }

    private static func hint(_ object: JSONObject) throws(SPIFFEError) -> Duration? {
        guard let value = object["spiffe_refresh_hint"], value != .null else { return nil }
        guard let seconds = value.integer, seconds >= 0 else {
            throw SPIFFEError(.invalidBundle, "spiffe_refresh_hint is not a number of seconds")
        }
        return .seconds(seconds)
    }
}

/// Sorts the entries of a document by their use.
private struct EntryReader {
    let reading: BundleReading
    var x509: [Certificate] = []
    var jwt: [JWTAuthority] = []
    var wit: [JWTAuthority] = []

    init(reading: BundleReading) { self.reading = reading }

    mutating func read(_ value: JSONValue, index: Int) throws(SPIFFEError) {
        guard let entry = value.object else {
            throw SPIFFEError(.invalidBundle, "key entry \(index) is not an object")
        }
        switch entry["use"]?.string ?? "" {
        case "x509-svid":
            try readCertificate(entry, index)
        case "jwt-svid":
            if let authority = try readKey(entry, index, use: "jwt-svid") { jwt.append(authority) }
        case "wit-svid":
            if let authority = try readKey(entry, index, use: "wit-svid") { wit.append(authority) }
        case "":
            try refuse("missing use for key entry \(index)")
        case let use:
            try refuse("unrecognized use \(Quoted(use)) for key entry \(index)")
        }
    }

    private func refuse(_ message: String) throws(SPIFFEError) {
        if reading == .strict { throw SPIFFEError(.invalidBundle, message) }
    }

    private mutating func readCertificate(_ entry: JSONObject, _ index: Int) throws(SPIFFEError) {
        let certificates = entry["x5c"]?.array ?? []
        if certificates.count != 1 {
            try refuse("expected a single certificate in x509-svid entry \(index); got \(certificates.count)")
        }
        guard let first = certificates.first else { return }
        guard let text = first.string, let der = Base64.decode(text.utf8, .standard) else {
            throw SPIFFEError(.invalidBundle, "x5c of x509-svid entry \(index) is not base64")
        }
        do {
            x509.append(try Certificate(spiffeDER: der))
        } catch {
            throw SPIFFEError(.invalidBundle, "x509-svid entry \(index): \(error.message)")
        }
    }

    private func readKey(_ entry: JSONObject, _ index: Int, use: String) throws(SPIFFEError) -> JWTAuthority? {
        guard let keyID = entry["kid"]?.string, !keyID.isEmpty else {
            try refuse("missing key ID in \(use) entry \(index)")
            return nil
        }
        return try JWKSet.authority(entry, index, keyID: keyID, reading)
    }
}
