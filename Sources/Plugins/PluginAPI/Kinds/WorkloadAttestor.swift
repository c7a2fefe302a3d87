// SPDX-License-Identifier: Apache-2.0

/// The calling process as the kernel told it when the connection was accepted.
package struct WorkloadCaller: Sendable, Hashable {
    package let pid: Int32
    package let uid: UInt32
    package let gid: UInt32
    package init(pid: Int32, uid: UInt32, gid: UInt32) {
        self.pid = pid
        self.uid = uid
        self.gid = gid
    }
}

/// Says what it can find out about a process, as selector values (the type is the plugin's name).
package protocol WorkloadAttestor: Sendable {
    var name: String { get }
    func attest(_ caller: WorkloadCaller) async throws -> [String]
    /// The same for an attestor that can tell without waiting for anything.
    ///
    /// - Returns: `nil` when `attest` is to be asked.
    /// - Throws: anything; `attest` is asked then, and its error is what counts.
    func attestNow(_ caller: WorkloadCaller) throws -> [String]?
}

extension WorkloadAttestor {
    package func attestNow(_ caller: WorkloadCaller) throws -> [String]? { nil }
}
