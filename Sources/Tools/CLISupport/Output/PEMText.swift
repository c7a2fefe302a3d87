// SPDX-License-Identifier: Apache-2.0

import SPIFFE

/// PEM blocks.
/// > Spec: RFC 7468.
package enum PEMText {
    package static func block(_ label: String, _ der: some Sequence<UInt8>) -> String {
        PEMBlock(label, Array(der)).text
    }

    package static func certificates(_ ders: [some Sequence<UInt8>]) -> String {
        ders.map { block("CERTIFICATE", $0) }.joined()
    }
}
