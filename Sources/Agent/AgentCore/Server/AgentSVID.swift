// SPDX-License-Identifier: Apache-2.0

package import FoundationEssentials
import Groundwork
import Issuance
package import PluginAPI
package import SPIFFE
package import Wire

/// The agent's own identity: what it shows to the server.
package struct AgentSVID: Sendable {
    package let id: SPIFFEID
    /// DER certificates, leaf first.
    package let chain: [[UInt8]]
    package let key: any ManagedKey
    package let notBefore: Date
    package let notAfter: Date
    package let isReattestable: Bool

    /// - Throws: `agent.server_answer` when the chain is empty, malformed, not for this key or not an agent's.
    package init(chain: [[UInt8]], key: any ManagedKey, isReattestable: Bool) throws {
        guard let der = chain.first else { throw SpireError(.serverAnswer, "agent SVID is missing") }
        let leaf: CertificateSummary
        do {
            leaf = try CertificateSummary(der)
        } catch {
            throw SpireError(.serverAnswer, "agent SVID is malformed", cause: error)
        }
        guard leaf.spki == key.publicKey.spki else {
            throw SpireError(.serverAnswer, "agent SVID is for another key")
        }
        guard leaf.uris.count == 1, let id = try? SPIFFEID(leaf.uris[0]) else {
            throw SpireError(.serverAnswer, "agent SVID has no SPIFFE ID")
        }
        self.id = id
        self.chain = chain
        self.key = key
        self.isReattestable = isReattestable
        notBefore = leaf.validFrom
        notAfter = leaf.validUntil
    }

    /// As a TLS endpoint shows it.
    package var tlsIdentity: TLSIdentity {
        if let key = key as? any ExportableKey { return TLSIdentity(chain: chain, key: .local(pkcs8: key.pkcs8)) }
        return TLSIdentity(chain: chain, key: .signer(key))
    }
}
