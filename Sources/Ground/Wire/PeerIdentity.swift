// SPDX-License-Identifier: Apache-2.0

package import RPC
package import SPIFFE
package import X509

/// Who is on the other end of a connection, as found out when it was accepted. Handlers never see channels.
package enum PeerIdentity: Sendable {
    /// A process on this machine.
    case unix(any UnixPeer)
    /// A verified X.509-SVID: the chain the verifier produced, leaf first, and its one SPIFFE ID.
    case mutualTLS(leaf: Certificate, id: SPIFFEID, address: String)
    /// TLS without a client certificate.
    case tlsAnonymous(address: String)
    /// A caller in this process (tests, the agent's own health check).
    case inProcess
}

/// A process that connected to a Unix socket, held so that a reused pid is not mistaken for it.
package protocol UnixPeer: Sendable {
    var pid: Int32 { get }
    var uid: UInt32 { get }
    var gid: UInt32 { get }
    /// Whether the process that connected still exists. Blocks only as long as a system call.
    var isAlive: Bool { get }
}

extension RPCContext {
    /// Who is on the other end.
    package var peerIdentity: PeerIdentity { peer as? PeerIdentity ?? .inProcess }
}
