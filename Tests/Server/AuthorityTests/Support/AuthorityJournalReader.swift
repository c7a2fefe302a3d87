// SPDX-License-Identifier: Apache-2.0

import StateProtos
import SwiftProtobuf

/// Looks into stored journals.
enum AuthorityJournalReader {
    static func count(_ data: [UInt8]) throws -> Int {
        try Spire_Server_Journal_Entries(serializedBytes: data).x509Cas.count
    }
}
