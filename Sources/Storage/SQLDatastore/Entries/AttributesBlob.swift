// SPDX-License-Identifier: Apache-2.0

import Datastore
import FoundationEssentials
import StateProtos
import SwiftProtobuf

/// The column `additional_attributes`.
enum AttributesBlob {
    static func encode(_ attributes: RegistrationEntry.AdditionalAttributes?) throws -> SQLValue {
        guard let attributes else { return .null }
        var message = Spire_Common_RegistrationEntry.AdditionalAttributes()
        message.disableX509SvidPrefetch = attributes.disableX509SVIDPrefetch
        message.jwtSvidIncludeJti = attributes.jwtSVIDIncludeJTI
        return .blob(try message.serializedBytes())
    }

    static func decode(_ bytes: [UInt8]) throws -> RegistrationEntry.AdditionalAttributes {
        do {
            let message = try Spire_Common_RegistrationEntry.AdditionalAttributes(serializedBytes: bytes)
            return .init(
                disableX509SVIDPrefetch: message.disableX509SvidPrefetch, jwtSVIDIncludeJTI: message.jwtSvidIncludeJti)
        } catch {
            throw StoreFailure.sql("unable to decode an entry's additional attributes: \(error)")
        }
    }
}
