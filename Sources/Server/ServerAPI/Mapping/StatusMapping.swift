// SPDX-License-Identifier: Apache-2.0

import APIProtos
import RPC
import SwiftProtobuf

extension Spire_Api_Types_Status {
    /// The status of a batch item that went well.
    static let ok = Spire_Api_Types_Status.with {
        $0.code = 0
        $0.message = "OK"
    }

    init(_ status: RPCStatus) {
        self.init()
        code = Int32(status.code.rawValue)
        message = status.message
    }
}
