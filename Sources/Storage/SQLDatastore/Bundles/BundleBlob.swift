// SPDX-License-Identifier: Apache-2.0

import Datastore
import FoundationEssentials
import StateProtos
import SwiftProtobuf

/// The column `bundles.data`: a protobuf `spire.common.Bundle`.
enum BundleBlob {
    static func encode(_ bundle: TrustBundle) throws -> SQLValue {
        var message = Spire_Common_Bundle()
        message.trustDomainID = bundle.trustDomainID
        message.rootCas = bundle.x509Authorities.map { authority in
            var certificate = Spire_Common_Certificate()
            certificate.derBytes = Data(authority.der)
            certificate.taintedKey = authority.tainted
            return certificate
        }
        message.jwtSigningKeys = bundle.jwtAuthorities.map(key)
        message.witSigningKeys = bundle.witAuthorities.map(key)
        message.refreshHint = bundle.refreshHint
        message.sequenceNumber = bundle.sequenceNumber
        return .blob(try message.serializedBytes())
    }

    static func decode(_ bytes: [UInt8]) throws -> TrustBundle {
        let message: Spire_Common_Bundle
        do {
            message = try Spire_Common_Bundle(serializedBytes: bytes)
        } catch {
            throw StoreFailure.sql("unable to decode a stored bundle: \(error)")
        }
        var bundle = TrustBundle(trustDomainID: message.trustDomainID)
        bundle.x509Authorities = message.rootCas.map { .init(der: [UInt8]($0.derBytes), tainted: $0.taintedKey) }
        bundle.jwtAuthorities = message.jwtSigningKeys.map(authority)
        bundle.witAuthorities = message.witSigningKeys.map(authority)
        bundle.refreshHint = message.refreshHint
        bundle.sequenceNumber = message.sequenceNumber
        return bundle
    }

    private static func key(_ authority: TrustBundle.JWTAuthority) -> Spire_Common_PublicKey {
        var key = Spire_Common_PublicKey()
        key.pkixBytes = Data(authority.publicKey)
        key.kid = authority.keyID
        key.notAfter = authority.expiresAt
        key.taintedKey = authority.tainted
        return key
    }

    private static func authority(_ key: Spire_Common_PublicKey) -> TrustBundle.JWTAuthority {
        .init(publicKey: [UInt8](key.pkixBytes), keyID: key.kid, expiresAt: key.notAfter, tainted: key.taintedKey)
    }
}
