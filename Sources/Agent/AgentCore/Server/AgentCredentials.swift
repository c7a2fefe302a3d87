// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// What the agent shows to the server and what it verifies the server with, as they are at the moment. The keeper
/// replaces them, each new connection reads them.
package final class AgentCredentials: Sendable {
    private let state: Mutex<(svid: AgentSVID, bundle: TrustBundle)>

    package init(svid: AgentSVID, bundle: TrustBundle) {
        state = Mutex((svid, bundle))
    }

    package var svid: AgentSVID { state.withLock { $0.svid } }
    package var bundle: TrustBundle { state.withLock { $0.bundle } }
    /// DER certificates of the trust domain's X.509 authorities.
    package var authorities: [[UInt8]] { bundle.x509Authorities.map(\.der) }

    func replace(_ svid: AgentSVID) { state.withLock { $0.svid = svid } }
    func replace(_ bundle: TrustBundle) { state.withLock { $0.bundle = bundle } }
}
