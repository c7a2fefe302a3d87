// SPDX-License-Identifier: Apache-2.0

import APIProtos
import Authority
import Crypto
import FoundationEssentials
import Issuance
import SPIFFE

/// What was signed, as messages.
enum X509SVIDMapping {
    static func proto(_ svid: IssuedX509SVID, _ ids: IDRules) -> Spire_Api_Types_X509SVID {
        var proto = Spire_Api_Types_X509SVID()
        proto.certChain = svid.chain.map { Data($0) }
        proto.id = ids.proto(svid.id)
        proto.expiresAt = Int64(svid.expiresAt.timeIntervalSince1970)
        return proto
    }

    static func proto(_ svid: IssuedToken, _ ids: IDRules) -> Spire_Api_Types_JWTSVID {
        var proto = Spire_Api_Types_JWTSVID()
        proto.token = svid.token
        proto.id = ids.proto(svid.id)
        proto.expiresAt = Int64(svid.expiresAt.timeIntervalSince1970)
        proto.issuedAt = Int64(svid.issuedAt.timeIntervalSince1970)
        return proto
    }

    static func wit(_ svid: IssuedToken, _ ids: IDRules) -> Spire_Api_Types_WITSVID {
        var proto = Spire_Api_Types_WITSVID()
        proto.token = svid.token
        proto.id = ids.proto(svid.id)
        proto.expiresAt = Int64(svid.expiresAt.timeIntervalSince1970)
        proto.issuedAt = Int64(svid.issuedAt.timeIntervalSince1970)
        return proto
    }
}

/// Lower-case hexadecimal SHA-256, as audit lines show requests and keys.
func sha256Hex(_ bytes: [UInt8]) -> String { Hex.text(Array(SHA256.hash(data: bytes))) }

/// A time as log lines show it, in UTC and whole seconds.
func rfc3339(_ date: Date) -> String { CivilTime(unix: Int64(date.timeIntervalSince1970)).rfc3339 }
