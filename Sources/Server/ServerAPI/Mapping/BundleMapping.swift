// SPDX-License-Identifier: Apache-2.0

package import APIProtos
package import Datastore
import FoundationEssentials
import Issuance
import SPIFFE
import SwiftProtobuf
import X509

/// Bundles in both directions.
package enum BundleMapping {
    /// Converts a stored bundle, keeping only what `mask` shows (`nil`: everything); the trust domain always shows.
    /// - Throws: `Malformed` when the stored trust domain is not one.
    package static func proto(
        _ bundle: TrustBundle, mask: Spire_Api_Types_BundleMask? = nil
    ) throws -> Spire_Api_Types_Bundle {
        var proto = Spire_Api_Types_Bundle()
        do {
            proto.trustDomain = try TrustDomain(bundle.trustDomainID).name
        } catch {
            throw Malformed("invalid trust domain id: \(error.message)")
        }
        if mask?.x509Authorities ?? true { proto.x509Authorities = bundle.x509Authorities.map(certificate) }
        if mask?.jwtAuthorities ?? true { proto.jwtAuthorities = bundle.jwtAuthorities.map(jwtKey) }
        if mask?.refreshHint ?? true { proto.refreshHint = bundle.refreshHint }
        if mask?.sequenceNumber ?? true { proto.sequenceNumber = bundle.sequenceNumber }
        if mask?.witAuthorities ?? true {
            proto.witAuthorities = bundle.witAuthorities.map { key in
                .with {
                    $0.publicKey = Data(key.publicKey)
                    $0.keyID = key.keyID
                    $0.expiresAt = key.expiresAt
                    $0.tainted = key.tainted
                }
            }
        }
        return proto
    }

    /// Shows only what `mask` shows of a bundle converted before.
    static func masked(_ bundle: Spire_Api_Types_Bundle, _ mask: Spire_Api_Types_BundleMask?) -> Spire_Api_Types_Bundle {
        guard let mask else { return bundle }
        var bundle = bundle
        if !mask.x509Authorities { bundle.x509Authorities = [] }
        if !mask.jwtAuthorities { bundle.jwtAuthorities = [] }
        if !mask.refreshHint { bundle.refreshHint = 0 }
        if !mask.sequenceNumber { bundle.sequenceNumber = 0 }
        if !mask.witAuthorities { bundle.witAuthorities = [] }
        return bundle
    }

    static func certificate(_ authority: TrustBundle.X509Authority) -> Spire_Api_Types_X509Certificate {
        .with {
            $0.asn1 = Data(authority.der)
            $0.tainted = authority.tainted
        }
    }

    static func jwtKey(_ authority: TrustBundle.JWTAuthority) -> Spire_Api_Types_JWTKey {
        .with {
            $0.publicKey = Data(authority.publicKey)
            $0.keyID = authority.keyID
            $0.expiresAt = authority.expiresAt
            $0.tainted = authority.tainted
        }
    }

    /// Checks and converts a bundle. Taint flags and WIT keys of the input are dropped, as SPIRE does.
    /// - Throws: `Malformed`.
    static func model(_ proto: Spire_Api_Types_Bundle) throws -> TrustBundle {
        let trustDomain: TrustDomain
        do {
            trustDomain = try TrustDomain(proto.trustDomain)
        } catch {
            throw Malformed("invalid trust domain: \(error.message)")
        }
        var bundle = TrustBundle(trustDomainID: trustDomain.id.description)
        do {
            bundle.x509Authorities = try x509Authorities(proto.x509Authorities)
        } catch {
            throw Malformed("unable to parse X.509 authority: \(APIFailure.text(of: error))")
        }
        do {
            bundle.jwtAuthorities = try jwtAuthorities(proto.jwtAuthorities)
        } catch {
            throw Malformed("unable to parse JWT authority: \(APIFailure.text(of: error))")
        }
        bundle.refreshHint = proto.refreshHint
        bundle.sequenceNumber = proto.sequenceNumber
        return bundle
    }

    static func x509Authorities(_ protos: [Spire_Api_Types_X509Certificate]) throws -> [TrustBundle.X509Authority] {
        try protos.map { proto in
            let der = [UInt8](proto.asn1)
            do {
                _ = try Certificate(spiffeDER: der)
            } catch {
                throw Malformed("x509: malformed certificate")
            }
            return TrustBundle.X509Authority(der: der)
        }
    }

    static func jwtAuthorities(_ protos: [Spire_Api_Types_JWTKey]) throws -> [TrustBundle.JWTAuthority] {
        try protos.map(jwtAuthority)
    }

    static func jwtAuthority(_ proto: Spire_Api_Types_JWTKey) throws -> TrustBundle.JWTAuthority {
        let spki = [UInt8](proto.publicKey)
        do {
            _ = try PublicKeyInfo(spki: spki)
        } catch {
            throw Malformed("invalid public key: \(APIFailure.text(of: error))")
        }
        guard !proto.keyID.isEmpty else { throw Malformed("missing key ID") }
        return TrustBundle.JWTAuthority(publicKey: spki, keyID: proto.keyID, expiresAt: proto.expiresAt)
    }

    static func fields(_ mask: Spire_Api_Types_BundleMask?) -> BundleFields {
        guard let mask else { return .all }
        var fields: BundleFields = []
        if mask.x509Authorities { fields.insert(.x509Authorities) }
        if mask.jwtAuthorities { fields.insert(.jwtAuthorities) }
        if mask.refreshHint { fields.insert(.refreshHint) }
        if mask.sequenceNumber { fields.insert(.sequenceNumber) }
        return fields
    }
}
