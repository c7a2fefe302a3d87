// SPDX-License-Identifier: Apache-2.0

package import NIOCore
import Synchronization

/// Everything a workload may know at one moment. Shared by all workloads with the same selectors, and so are the
/// messages made of it: each form is encoded once, whoever asks first.
package final class WorkloadUpdate: Sendable {
    package struct Identity: Sendable {
        package let entry: AgentEntry
        package let svid: WorkloadSVID
        package init(entry: AgentEntry, svid: WorkloadSVID) {
            self.entry = entry
            self.svid = svid
        }
    }

    /// The encoded messages an update is kept in.
    package enum Form: Int, Sendable, CaseIterable {
        case x509SVIDs, x509Bundles, ownX509Bundle, jwtBundles, ownJWTBundle
    }

    /// Ordered by entry ID; the first is the default identity.
    package let identities: [Identity]
    /// The agent's own trust domain.
    package let bundle: TrustBundle
    /// Bundles the identities federate with, ordered by trust domain.
    package let federated: [TrustBundle]
    private let encoded: Mutex<[ByteBuffer?]>

    package init(identities: [Identity], bundle: TrustBundle, federated: [TrustBundle]) {
        self.identities = identities
        self.bundle = bundle
        self.federated = federated
        encoded = Mutex(Array(repeating: nil, count: Form.allCases.count))
    }

    /// The message of this form, encoded by `make` at the first call (two racing callers may both encode).
    package func encoded(
        _ form: Form, _ make: (WorkloadUpdate) throws -> ByteBuffer
    ) rethrows -> ByteBuffer {
        if let known = encoded.withLock({ $0[form.rawValue] }) { return known }
        let bytes = try make(self)
        encoded.withLock { $0[form.rawValue] = bytes }
        return bytes
    }
}
