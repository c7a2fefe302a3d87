// SPDX-License-Identifier: Apache-2.0

package import Groundwork

/// A managed key whose bytes are in this process, so that TLS can use it directly. Keys of hardware and clouds are not.
package protocol ExportableKey: ManagedKey {
    /// Unencrypted PKCS #8 DER.
    var pkcs8: Secret<[UInt8]> { get }
}
