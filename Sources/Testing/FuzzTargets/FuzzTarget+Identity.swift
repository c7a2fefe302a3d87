// SPDX-License-Identifier: Apache-2.0

import CLISupport
import FoundationEssentials
import Groundwork
import Issuance
import PluginsBasic
import SPIFFE
import X509

extension FuzzTarget {
    static func csr(_ bytes: [UInt8]) throws -> Verdict {
        try verdict({ try CSR.parse(bytes) }) { csr in
            try promise(csr.der == bytes && bytes.count <= CSR.maximumCount, "a request was changed")
            let name = try attempt { try DistinguishedName(der: csr.subject) }
            let signature = try attempt { try csr.verifySignature() }
            return "\(show(name)), \(csr.dnsNames), \(csr.uris), signature \(show(signature.map { "right" }))"
        }
    }

    private static func show<Value>(_ result: Result<Value, Refusal>) -> String {
        switch result {
        case .success(let value): "\(value)"
        case .failure(let refusal): refusal.text
        }
    }

    static func certificate(_ bytes: [UInt8]) throws -> Verdict {
        // Two readers: ours for facts, the library's for verifying. What both take they must read alike.
        let theirs = try attempt { try Certificate(spiffeDER: bytes) }
        return try verdict({ try CertificateSummary(bytes) }) { facts in
            try promise(facts.der == bytes, "a certificate was changed")
            for name in [facts.subject, facts.issuer] {
                // A name that is read can be written, and is then the same name.
                if case .success(let name) = try attempt({ try DistinguishedName(der: name) }) {
                    try promise((try? DistinguishedName(der: name.der)) == name, "a name cannot be written")
                }
            }
            if case .success(let certificate) = theirs {
                try promise(certificate.der == bytes, "a certificate was changed in reading")
                try promise(Int64(certificate.notValidBefore.timeIntervalSince1970) == facts.notBefore, "two beginnings")
                try promise(Int64(certificate.notValidAfter.timeIntervalSince1970) == facts.notAfter, "two ends")
                let serial = Array(certificate.serialNumber.bytes.drop { $0 == 0 })
                try promise(serial == Array(facts.serial.drop { $0 == 0 }), "two serial numbers")
                if let names = try? certificate.extensions.subjectAlternativeNames {
                    let uris = names.compactMap { if case .uniformResourceIdentifier(let uri) = $0 { uri } else { nil } }
                    try promise(uris == facts.uris, "two lists of URIs")
                }
                _ = try? X509SVID.verify([certificate], bundles: BundleSet(), at: Date(timeIntervalSince1970: 1_700_000_000))
            }
            return "\(hex(facts.serial)), \(facts.uris), \(facts.dnsNames), CA \(facts.isCA.map { "\($0)" } ?? "-")"
        }
    }

    static func pem(_ bytes: [UInt8]) throws -> Verdict {
        let domain = try TrustDomain("example.org")
        let text = text(bytes)
        _ = try attempt { try PrivateKey(pem: text) }
        if case .success(let bundle) = try attempt({ try X509Bundle(domain, der: bytes) }) {
            // Repetitions are left out, so only what is not repeated is the same again.
            try promise((try? X509Bundle(domain, der: bundle.der)) == bundle, "certificates end to end were changed")
        }
        return try verdict({ try X509Bundle(domain, pem: text) }) { bundle in
            try promise(!bundle.authorities.isEmpty, "a bundle of nothing")
            let again = PEMText.certificates(bundle.authorities.map { Data($0.der) })
            try promise((try? X509Bundle(domain, pem: again)) == bundle, "a bundle cannot be read back")
            return "\(bundle.authorities.count) certificates"
        }
    }

    static func pkcs8(_ bytes: [UInt8]) throws -> Verdict {
        let client = try attempt { try PrivateKey(pkcs8: bytes) }
        if case .success(let key) = client {
            try promise((try? PrivateKey(pkcs8: key.pkcs8))?.publicKey == key.publicKey, "another key was read back")
        }
        if case .success(let key) = try attempt({ try SubjectPublicKey(spki: bytes) }) {
            try promise(key.info.spki == bytes && key.info.subjectKeyID.count == 20, "a public key was changed")
            return .accepted("public key \(key.info.type?.rawValue ?? "other")")
        }
        return try verdict({ try LocalKey(pkcs8: bytes) }) { key in
            let written = key.pkcs8.reveal { $0 }
            guard let again = try? LocalKey(pkcs8: written) else { throw BrokenPromise("a key cannot be read back") }
            try promise(again.publicKey.spki == key.publicKey.spki, "another key was read back")
            if case .success(let other) = client {
                try promise(other.publicKey.spki == key.publicKey.spki, "two readers, two keys")
            }
            return "private key \(key.type.rawValue)"
        }
    }

    static func jwt(_ bytes: [UInt8]) throws -> Verdict {
        let text = text(bytes)
        let time = Date(timeIntervalSince1970: 1_700_000_000)
        let bundle = JWTBundle(try TrustDomain("example.org"))
        if case .success = try attempt({ try JWTSVID.parseAndVerify(text, audience: ["x"], bundles: bundle, at: time) }) {
            throw BrokenPromise("a token was verified with no key")
        }
        return try verdict({ try JWTSVID.parseInsecure(text, at: time) }) { svid in
            try promise(same(svid.token, text), "a token was changed")
            try promise((try? SPIFFEID(svid.id.description)) == svid.id, "a subject that is no ID")
            try promise(!svid.audience.isEmpty, "a token for nobody")
            try promise(!"\(svid)".contains(text), "a token prints itself")
            return "\(svid.id) for \(svid.audience) until \(Int64(svid.expiry.timeIntervalSince1970))"
        }
    }

    static func bundle(_ bytes: [UInt8]) throws -> Verdict {
        let domain = try TrustDomain("example.org")
        if case .success(let bundle) = try attempt({ try JWTBundle(domain, jwks: bytes) }) {
            let written = try bundle.jwks()
            try promise((try? JWTBundle(domain, jwks: written)) == bundle, "a key set cannot be read back")
        }
        let strict = try attempt { try SPIFFEBundle(domain, document: bytes, reading: .strict) }
        return try verdict({ try SPIFFEBundle(domain, document: bytes) }) { bundle in
            if case .success(let strict) = strict {
                try promise(strict == bundle, "the strict reader reads another bundle")
            }
            let keys = Set(bundle.jwtAuthorities.map { Array($0.keyID.utf8) })
            try promise(keys.count == bundle.jwtAuthorities.count, "a key ID is there twice")
            // Authorities with keys of other kinds cannot be written as keys; such a bundle is refused, not cut short.
            guard let written = try? bundle.document() else { return "a bundle that cannot be written" }
            guard let again = try? SPIFFEBundle(domain, document: written, reading: .strict) else {
                throw BrokenPromise("a bundle cannot be read back")
            }
            try promise((try? again.document()) == written, "another bundle was read back")
            return "\(bundle.x509Authorities.count) X.509, \(keys.count) JWT, sequence \(bundle.sequenceNumber)"
        }
    }

    static func keyFile(_ bytes: [UInt8]) throws -> Verdict {
        try verdict({ try DiskKeyManager.publicKeys(of: bytes) }) { keys in
            try promise(keys.allSatisfy { (try? SubjectPublicKey(spki: $0.spki)) != nil }, "a public key that is none")
            return keys.map(\.id).joined(separator: " ")
        }
    }
}
