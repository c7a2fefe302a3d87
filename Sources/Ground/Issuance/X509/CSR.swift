// SPDX-License-Identifier: Apache-2.0

import Groundwork
package import SPIFFE

/// A PKCS #10 certificate signing request. Reading one checks its form and key, not its signature: call
/// `verifySignature()` before believing that the caller has the key.
/// > Spec: RFC 2986 §4, RFC 2985 §5.4.2.
package struct CSR: Sendable {
    /// Most bytes of a request.
    package static let maximumCount = 16 << 10

    package let der: [UInt8]
    package let publicKey: PublicKeyInfo
    /// DER Name.
    package let subject: [UInt8]
    package let uris: [String]
    package let dnsNames: [String]
    private let key: SubjectPublicKey
    private let bodyRange: Range<Int>
    private let algorithmRange: Range<Int>
    private let signatureRange: Range<Int>

    /// - Throws: `csr_malformed`, whose message is the reason alone.
    package static func parse(_ der: [UInt8]) throws -> CSR {
        do {
            return try CSR(checking: der)
        } catch let error as SpireError {
            throw SpireError(.csrMalformed, error.message)
        } catch {
            throw SpireError(.csrMalformed, "\(error)")
        }
    }

    private init(checking der: [UInt8]) throws {
        guard der.count <= Self.maximumCount else { throw DERError("larger than 16384 bytes") }
        self.der = der
        var outer = DERReader(der)
        var request = try outer.enter(DER.sequence)
        try outer.finish()
        let bodyElement = try request.next(DER.sequence)
        let algorithm = try request.next(DER.sequence)
        let signature = try request.octets()
        try request.finish()
        bodyRange = bodyElement.outset..<bodyElement.end
        algorithmRange = algorithm.outset..<algorithm.end
        signatureRange = signature.startIndex..<signature.endIndex

        var body = request.reader(bodyElement)
        _ = try body.unsigned()
        subject = Array(body.whole(try body.next(DER.sequence)))
        key = try SubjectPublicKey(spki: Array(body.whole(try body.next(DER.sequence))))
        publicKey = key.info
        var names: (dnsNames: [String], uris: [String]) = ([], [])
        if let wrapped = try body.optional(DER.context(0, constructed: true)) {
            var attributes = body.reader(wrapped)
            names = try Self.requestedNames(&attributes)
        }
        try body.finish()
        (dnsNames, uris) = names
    }

    private static func requestedNames(_ attributes: inout DERReader) throws(DERError)
        -> (dnsNames: [String], uris: [String])
    {
        var found: (dnsNames: [String], uris: [String])?
        while !attributes.isAtEnd {
            var attribute = try attributes.enter(DER.sequence)
            let identifier = attribute.whole(try attribute.next(DER.objectID))
            guard identifier.elementsEqual(OID.extensionRequest) else { continue }
            var values = try attribute.enter(DER.set)
            var extensions = try values.enter(DER.sequence)
            while !extensions.isAtEnd {
                var item = try extensions.enter(DER.sequence)
                let kind = item.whole(try item.next(DER.objectID))
                if item.nextTag == DER.boolean { _ = try item.boolean() }
                let value = try item.next(DER.octetString)
                guard kind.elementsEqual(OID.subjectAltName) else { continue }
                guard found == nil else { throw DERError("subject alternative name is there twice") }
                var content = item.reader(value)
                var list = try content.enter(DER.sequence)
                found = try GeneralNames.read(&list)
            }
        }
        return found ?? ([], [])
    }

    /// Checks that the request was signed with the key it asks a certificate for.
    /// - Throws: `csr_malformed`.
    package func verifySignature() throws {
        guard key.verifies(der[signatureRange], of: der[bodyRange], algorithm: der[algorithmRange]) else {
            throw SpireError(.csrMalformed, "signature verification failed")
        }
    }

    /// Makes a signed request.
    ///
    /// - Parameters:
    ///   - uri: The SPIFFE ID asked for; `nil` for none.
    ///   - subject: `C=US, O=SPIRE` unless given, as the original's agents send it.
    /// - Throws: `signing_failed`, `refused` for a DNS name that is not ASCII.
    package static func make(
        key: some ImmediateSigner, uri: SPIFFEID?, dnsNames: [String] = [], subject: DistinguishedName = .svid
    ) throws -> [UInt8] {
        let body = try body(publicKey: key.publicKey, uri: uri, dnsNames: dnsNames, subject: subject)
        let scheme = try scheme(of: key)
        return CertificateBody.seal(
            body, algorithm: scheme.algorithmIdentifier, signature: try key.signNow(body, scheme: scheme))
    }

    /// Makes a request signed by a key that may be elsewhere.
    /// - Throws: as the immediate form, and what the signer throws.
    package static func make(
        signer: any Signer, uri: SPIFFEID?, dnsNames: [String] = [], subject: DistinguishedName = .svid
    ) async throws -> [UInt8] {
        let body = try body(publicKey: signer.publicKey, uri: uri, dnsNames: dnsNames, subject: subject)
        let scheme = try scheme(of: signer)
        return CertificateBody.seal(
            body, algorithm: scheme.algorithmIdentifier, signature: try await signer.sign(body, scheme: scheme))
    }

    private static func scheme(of signer: any Signer) throws -> SignatureScheme {
        guard let type = signer.publicKey.type else {
            throw SpireError(.signingFailed, "no signature scheme for this kind of key")
        }
        return type.signatureScheme
    }

    private static func body(publicKey: PublicKeyInfo, uri: SPIFFEID?, dnsNames: [String], subject: DistinguishedName)
        throws -> [UInt8]
    {
        var attributes: [UInt8] = []
        if uri != nil || !dnsNames.isEmpty {
            let names = try X509Extensions.subjectAltName(
                dnsNames: dnsNames, uris: uri.map { [$0.description] } ?? [], critical: subject.isEmpty)
            attributes = DER.sequence(
                OID.extensionRequest, DER.element(DER.set, DER.element(DER.sequence, names)))
        }
        return DER.sequence(
            [DER.integer, 1, 0], subject.der, publicKey.spki,
            DER.element(DER.context(0, constructed: true), attributes))
    }
}
