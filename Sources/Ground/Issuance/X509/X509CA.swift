// SPDX-License-Identifier: Apache-2.0

package import FoundationEssentials
package import Groundwork
package import SPIFFE

/// An X.509 authority ready to sign: its key, and everything about it that certificates repeat, encoded once.
package struct X509CA: Sendable {
    /// How far before now certificates begin, so that peers with slow clocks accept them.
    /// > Matches: SPIRE, 10 seconds.
    package static let backdate: Int64 = 10

    package let certificate: CertificateSummary
    /// DER certificates that go with a leaf besides it, without the root: empty for a self-signed authority, else this
    /// authority first.
    package let upstreamChain: [[UInt8]]
    private let signer: any Signer
    /// `signer` where it need not be waited for.
    private let immediate: (any ImmediateSigner)?
    private let scheme: SignatureScheme
    private let authorityKeyID: [UInt8]

    /// - Throws: `issuance.signing_failed` when the signer's key is not the certificate's or cannot sign certificates.
    package init(signer: any Signer, certificate: CertificateSummary, upstreamChain: [[UInt8]] = []) throws {
        guard signer.publicKey.spki == certificate.spki else {
            throw SpireError(.signingFailed, "the key does not belong to the CA certificate")
        }
        guard let type = signer.publicKey.type else {
            throw SpireError(.signingFailed, "no signature scheme for this kind of key")
        }
        self.signer = signer
        immediate = signer as? any ImmediateSigner
        self.certificate = certificate
        self.upstreamChain = upstreamChain
        scheme = type.signatureScheme
        authorityKeyID = X509Extensions.authorityKeyID(certificate.subjectKeyID)
    }

    /// What is to be certified.
    package struct Request: Sendable {
        package var id: SPIFFEID
        package var publicKey: PublicKeyInfo
        package var dnsNames: [String] = []
        /// `C=US, O=SPIRE` unless given. The first DNS name becomes its common name.
        package var subject: DistinguishedName?
        package var ttl: Duration

        package init(
            id: SPIFFEID, publicKey: PublicKeyInfo, dnsNames: [String] = [], subject: DistinguishedName? = nil,
            ttl: Duration
        ) {
            self.id = id
            self.publicKey = publicKey
            self.dnsNames = dnsNames
            self.subject = subject
            self.ttl = ttl
        }
    }

    /// A certificate just signed.
    package struct Signed: Sendable {
        package let der: [UInt8]
        /// Decimal.
        package let serialNumber: String
        /// Unix seconds.
        package let notAfter: Int64
    }

    /// Signs the certificate of a server, agent or workload. Its lifetime ends no later than the authority's.
    ///
    /// - Throws: `issuance.refused` when the result would break a rule its users check; what the signer throws.
    /// > Spec: X509-SVID §2-§5. Matches: SPIRE's certificate templates.
    package func signSVID(_ request: Request, now: Date, random: some RandomSource) async throws -> Signed {
        let subject: [UInt8]
        if request.subject == nil, request.dnsNames.isEmpty {
            subject = DistinguishedName.svidDER
        } else {
            var name = request.subject ?? .svid
            if let first = request.dnsNames.first { name.commonName = first }
            subject = name.der
        }
        let signed = try await sign(
            subject: subject, publicKey: request.publicKey, ttl: request.ttl, now: now,
            extensions: [
                X509Extensions.svidHead, X509Extensions.subjectKeyID(request.publicKey.subjectKeyID), authorityKeyID,
                try X509Extensions.subjectAltName(dnsNames: request.dnsNames, uris: [request.id.description]),
            ], random: random)
        try CertificateRules.checkSVID(CertificateSummary(signed.der), id: request.id, now: now)
        return signed
    }

    /// Signs the intermediate CA of a downstream server: this authority's subject, its depth told by the
    /// organizational unit.
    /// - Throws: as `signSVID`.
    package func signDownstreamCA(
        _ trustDomain: TrustDomain, publicKey: PublicKeyInfo, ttl: Duration, now: Date, random: some RandomSource
    ) async throws -> Signed {
        var subject = try DistinguishedName(der: certificate.subject)
        subject.organizationalUnit = ["DOWNSTREAM-\(max(1, upstreamChain.count))"]
        let serial = Self.serial(random)
        subject.serialNumber = DecimalNumber.text(serial)
        let signed = try await sign(
            subject: subject.der, publicKey: publicKey, ttl: ttl, now: now,
            extensions: [
                X509Extensions.authorityHead, X509Extensions.subjectKeyID(publicKey.subjectKeyID), authorityKeyID,
                try X509Extensions.subjectAltName(dnsNames: [], uris: [trustDomain.id.description]),
            ], serial: serial)
        try CertificateRules.checkCA(CertificateSummary(signed.der), trustDomain: trustDomain, now: now)
        return signed
    }

    /// Makes a self-signed authority.
    ///
    /// The certificate is first made with a throw-away key and checked, so that the real key never signs a bad one.
    /// - Throws: `issuance.refused`; what the signer throws.
    package static func selfSigned(
        signer: any Signer, trustDomain: TrustDomain, subject: DistinguishedName, ttl: Duration, now: Date,
        random: some RandomSource
    ) async throws -> X509CA {
        guard let type = signer.publicKey.type else {
            throw SpireError(.signingFailed, "no signature scheme for this kind of key")
        }
        let serial = Self.serial(random)
        var name = subject
        if name.serialNumber.isEmpty { name.serialNumber = DecimalNumber.text(serial) }
        let from = Int64(now.timeIntervalSince1970.rounded(.down))
        func body(_ key: PublicKeyInfo, _ scheme: SignatureScheme) throws -> [UInt8] {
            CertificateBody(
                serial: serial, algorithm: scheme.algorithmIdentifier, issuer: name.der, notBefore: from - backdate,
                notAfter: from + Int64(ttl.inSeconds), subject: name.der, spki: key.spki,
                extensions: [
                    X509Extensions.authorityHead, X509Extensions.subjectKeyID(key.subjectKeyID),
                    try X509Extensions.subjectAltName(dnsNames: [], uris: [trustDomain.id.description]),
                ]
            ).encoded
        }
        let rehearsal = try LocalKey.generate(.ecP256, random: random)
        let draft = try body(rehearsal.publicKey, .ecdsaSHA256)
        try CertificateRules.checkCA(
            CertificateSummary(
                CertificateBody.seal(
                    draft, algorithm: SignatureScheme.ecdsaSHA256.algorithmIdentifier,
                    signature: rehearsal.signNow(draft, scheme: .ecdsaSHA256))),
            trustDomain: trustDomain, now: now)

        let scheme = type.signatureScheme
        let real = try body(signer.publicKey, scheme)
        let der = CertificateBody.seal(
            real, algorithm: scheme.algorithmIdentifier, signature: try await signer.sign(real, scheme: scheme))
        let certificate = try CertificateSummary(der)
        guard certificate.isSigned(by: try certificate.publicKey()) else {
            throw SpireError(.signingFailed, "the key made a signature that its public key does not accept")
        }
        return try X509CA(signer: signer, certificate: certificate)
    }

    private func sign(
        subject: [UInt8], publicKey: PublicKeyInfo, ttl: Duration, now: Date, extensions: [[UInt8]],
        random: some RandomSource
    ) async throws -> Signed {
        try await sign(
            subject: subject, publicKey: publicKey, ttl: ttl, now: now, extensions: extensions,
            serial: Self.serial(random))
    }

    private func sign(
        subject: [UInt8], publicKey: PublicKeyInfo, ttl: Duration, now: Date, extensions: [[UInt8]], serial: [UInt8]
    ) async throws -> Signed {
        let from = Int64(now.timeIntervalSince1970.rounded(.down))
        let until = min(from + Int64(ttl.inSeconds), certificate.notAfter)
        let body = CertificateBody(
            serial: serial, algorithm: scheme.algorithmIdentifier, issuer: certificate.subject,
            notBefore: from - Self.backdate, notAfter: until, subject: subject, spki: publicKey.spki,
            extensions: extensions
        ).encoded
        let signature: [UInt8]
        if let immediate {
            signature = try immediate.signNow(body, scheme: scheme)
        } else {
            signature = try await signer.sign(body, scheme: scheme)
            // A key that is elsewhere may answer with anything; one in this process was checked when it was made.
            let key = try SubjectPublicKey(spki: certificate.spki)
            guard key.verifies(signature[...], of: body[...], algorithm: scheme.algorithmIdentifier[...]) else {
                throw SpireError(.signingFailed, "the key made a signature that its public key does not accept")
            }
        }
        return Signed(
            der: CertificateBody.seal(body, algorithm: scheme.algorithmIdentifier, signature: signature),
            serialNumber: DecimalNumber.text(serial), notAfter: until)
    }

    /// A serial number from 1 to 2^128 - 1.
    private static func serial(_ random: some RandomSource) -> [UInt8] {
        while true {
            let bytes = random.bytes(16)
            if bytes.contains(where: { $0 != 0 }) { return bytes }
        }
    }
}
