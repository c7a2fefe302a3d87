// SPDX-License-Identifier: Apache-2.0

package import FoundationEssentials
package import Groundwork

/// A workload's X.509-SVID with its key, ready to be handed out.
package struct WorkloadSVID: Sendable {
    /// DER certificates, leaf first.
    package let chain: [[UInt8]]
    /// DER PKCS #8.
    package let privateKey: Secret<[UInt8]>
    package let notBefore: Date
    package let notAfter: Date

    package init(chain: [[UInt8]], privateKey: Secret<[UInt8]>, notBefore: Date, notAfter: Date) {
        self.chain = chain
        self.privateKey = privateKey
        self.notBefore = notBefore
        self.notAfter = notAfter
    }
}
