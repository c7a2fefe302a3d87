// SPDX-License-Identifier: Apache-2.0

/// A signed token in compact form, taken apart but not verified.
/// > Spec: RFC 7515 §7.1; JWT-SVID §2.
struct JWS {
    /// Most bytes of a token.
    static let maximumLength = 1 << 17

    let algorithm: JWSAlgorithm
    /// Empty when the header names none.
    let keyID: String
    let payload: JSONObject
    let signature: [UInt8]
    /// What the signature is over: the first two parts with the dot.
    let signed: [UInt8]

    init(_ token: String) throws(SPIFFEError) {
        let bytes = Array(token.utf8)
        guard bytes.count <= Self.maximumLength else { throw Self.malformed("token is too large") }
        let parts = bytes.split(separator: UInt8(ascii: "."), maxSplits: 3, omittingEmptySubsequences: false)
        guard parts.count == 3 else { throw Self.malformed("compact JWS format must have three parts") }
        guard let header = Base64.decode(parts[0], .url), let payload = Base64.decode(parts[1], .url),
            let signature = Base64.decode(parts[2], .url)
        else { throw Self.malformed("a part of the token is not base64url") }
        self.signature = signature
        signed = Array(bytes[..<parts[1].endIndex])
        (algorithm, keyID) = try Self.read(try Self.object(header, "header"))
        self.payload = try Self.object(payload, "payload")
    }

    private static func read(_ header: JSONObject) throws(SPIFFEError) -> (JWSAlgorithm, String) {
        guard let name = header["alg"]?.string else { throw malformed("header has no signature algorithm") }
        guard let algorithm = JWSAlgorithm(rawValue: name) else {
            throw malformed(
                "unexpected signature algorithm \(Quoted(name)); expected "
                    + Quoted(list: JWSAlgorithm.allCases.map(\.rawValue)).description)
        }
        if header["crit"] != nil { throw malformed("header has critical parameters that are not supported") }
        switch header["typ"] {
        case nil, .string("JWT")?, .string("JOSE")?: break
        default: throw malformed("token header type not supported: only JWT and JOSE are")
        }
        switch header["kid"] {
        case nil: return (algorithm, "")
        case .string(let keyID)?: return (algorithm, keyID)
        default: throw malformed("key ID in header is not a string")
        }
    }

    private static func object(_ bytes: [UInt8], _ part: String) throws(SPIFFEError) -> JSONObject {
        do {
            if let object = try JSONValue.parse(bytes, maximumLength: maximumLength).object { return object }
        } catch {
            throw malformed("\(part) is not JSON: \(error.message)")
        }
        throw malformed("\(part) is not a JSON object")
    }

    private static func malformed(_ message: String) -> SPIFFEError {
        SPIFFEError(.invalidJWTSVID, "unable to parse JWT token: \(message)")
    }
}
