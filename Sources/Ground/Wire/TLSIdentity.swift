// SPDX-License-Identifier: Apache-2.0

package import Groundwork
package import Issuance

/// A certificate chain and the key that goes with it, as one end of a TLS connection shows them.
package struct TLSIdentity: Sendable {
    /// Where the private key is.
    package enum Key: Sendable {
        /// DER PKCS #8 in this process.
        case local(pkcs8: Secret<[UInt8]>)
        /// Held by somebody else, who signs on request. RSA keys held this way speak TLS 1.2 only.
        case signer(any Signer)
    }

    /// DER certificates, leaf first.
    package let chain: [[UInt8]]
    package let key: Key

    package init(chain: [[UInt8]], key: Key) {
        self.chain = chain
        self.key = key
    }
}
