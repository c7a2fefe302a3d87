// SPDX-License-Identifier: Apache-2.0

import Crypto
public import FoundationEssentials
public import SPIFFE
import SwiftASN1
public import X509

/// The authority of a trust domain that exists for one test.
public struct ThrowawayCA: Sendable {
    public let trustDomain: TrustDomain
    /// The authority's certificates, its own first; more than one below an intermediate.
    public let chain: [Certificate]
    /// What signs JWT-SVIDs, by name.
    public let jwtAuthority: JWTAuthority

    private let root: Certificate
    private let key: P256.Signing.PrivateKey
    private let jwtKey: P256.Signing.PrivateKey
    private let start: Date

    /// Makes an authority whose certificates are valid from an hour before `start` to a year after.
    public init(_ trustDomain: TrustDomain, start: Date = Date()) throws {
        let key = P256.Signing.PrivateKey()
        let name = try DistinguishedName { CommonName("throwaway authority of \(trustDomain)") }
        root = try Self.authority(trustDomain, key: key.publicKey, name: name, issuer: name, signer: key, start: start)
        self.trustDomain = trustDomain
        self.key = key
        self.start = start
        chain = [root]
        jwtKey = P256.Signing.PrivateKey()
        jwtAuthority = JWTAuthority(
            keyID: String(UInt64.random(in: .min ... .max), radix: 36),
            publicKey: try PublicKey(spki: Array(jwtKey.publicKey.derRepresentation)))
    }

    private init(below parent: ThrowawayCA) throws {
        let key = P256.Signing.PrivateKey()
        let name = try DistinguishedName { CommonName("throwaway intermediate \(parent.chain.count)") }
        let certificate = try Self.authority(
            parent.trustDomain, key: key.publicKey, name: name, issuer: parent.chain[0].subject, signer: parent.key,
            start: parent.start)
        trustDomain = parent.trustDomain
        root = parent.root
        chain = [certificate] + parent.chain
        self.key = key
        jwtKey = parent.jwtKey
        jwtAuthority = parent.jwtAuthority
        start = parent.start
    }

    /// Makes an authority that this one signs: its SVIDs carry one more certificate.
    public func intermediate() throws -> ThrowawayCA { try ThrowawayCA(below: self) }

    /// What its SVIDs are verified against.
    public var bundle: SPIFFEBundle {
        SPIFFEBundle(trustDomain, x509Authorities: [root], jwtAuthorities: [jwtAuthority], sequenceNumber: 1)
    }

    /// Issues an X.509-SVID on a new P-256 key.
    /// - Parameters:
    ///   - path: The path of the SPIFFE ID, such as `/web`.
    ///   - lifetime: From the authority's start on; it begins ten seconds earlier. May be negative: already expired.
    /// - Throws: `invalid_id`, or what the certificate library reports.
    public func x509SVID(
        _ path: String, lifetime: Duration = .seconds(3600), dnsNames: [String] = [], hint: String = ""
    ) throws -> X509SVID {
        let id = try SPIFFEID(trustDomain, path: path)
        let own = PrivateKey.generate()
        let end = start.addingTimeInterval(Double(lifetime.components.seconds))
        let names = [GeneralName.uniformResourceIdentifier(id.description)] + dnsNames.map { .dnsName($0) }
        let leaf = try Certificate(
            version: .v3, serialNumber: Certificate.SerialNumber(),
            publicKey: own.certificateKey.publicKey, notValidBefore: min(start, end).addingTimeInterval(-10),
            notValidAfter: end, issuer: chain[0].subject,
            subject: try DistinguishedName { OrganizationName("throwaway") },
            extensions: try Certificate.Extensions {
                Critical(BasicConstraints.notCertificateAuthority)
                Critical(KeyUsage(digitalSignature: true, keyEncipherment: true, keyAgreement: true))
                try ExtendedKeyUsage([.serverAuth, .clientAuth])
                SubjectAlternativeNames(names)
            }, issuerPrivateKey: Certificate.PrivateKey(key))
        return try X509SVID(chain: [leaf] + chain.dropLast(), privateKey: own, hint: hint)
    }

    /// Issues a JWT-SVID.
    /// - Parameter claims: Further claims; may replace the usual ones, to make tokens nobody should accept.
    public func jwtToken(
        _ path: String, audience: [String], lifetime: Duration = .seconds(300), claims: JSONObject = [:]
    ) throws -> String {
        let issued = Int64(start.timeIntervalSince1970)
        var payload: JSONObject = [
            "sub": .string(try SPIFFEID(trustDomain, path: path).description),
            "aud": .array(audience.map { .string($0) }),
            "exp": .integer(issued + lifetime.components.seconds),
            "iat": .integer(issued),
        ]
        for member in claims.members { payload[member.name] = member.value }
        let header: JSONObject = [
            "alg": .string("ES256"), "kid": .string(jwtAuthority.keyID), "typ": .string("JWT"),
        ]
        let signed = [header, payload].map { Base64.encode(JSONValue.object($0).text(), .url) }.joined(separator: ".")
        let signature = try jwtKey.signature(for: Array(signed.utf8))
        return signed + "." + Base64.encode(signature.rawRepresentation, .url)
    }

    private static func authority(
        _ trustDomain: TrustDomain, key: P256.Signing.PublicKey, name: DistinguishedName, issuer: DistinguishedName,
        signer: P256.Signing.PrivateKey, start: Date
    ) throws -> Certificate {
        try Certificate(
            version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: Certificate.PublicKey(key),
            notValidBefore: start.addingTimeInterval(-3600), notValidAfter: start.addingTimeInterval(365 * 86_400),
            issuer: issuer, subject: name,
            extensions: try Certificate.Extensions {
                Critical(BasicConstraints.isCertificateAuthority(maxPathLength: nil))
                Critical(KeyUsage(keyCertSign: true, cRLSign: true))
                SubjectAlternativeNames([.uniformResourceIdentifier(trustDomain.id.description)])
            }, issuerPrivateKey: Certificate.PrivateKey(signer))
    }
}
