// SPDX-License-Identifier: Apache-2.0

import Groundwork
package import PluginAPI

/// Attests a local process by what the kernel knows of it: users, groups, and, when asked to, its program.
///
/// It says nothing about whether the process is still the one that connected: the caller checks that after this
/// attestor has read, when a reused pid shows.
package struct UnixWorkloadAttestor: WorkloadAttestor {
    package struct Configuration: Sendable, Hashable {
        /// Adds the selectors `path` and `sha256`.
        package var discoversWorkloadPath: Bool
        /// Most bytes of a program that is hashed; 0 for no limit, negative for no `sha256` selector.
        package var workloadSizeLimit: Int64
        /// Where the process file system is.
        package var procRoot: String

        package init(discoversWorkloadPath: Bool = false, workloadSizeLimit: Int64 = 0, procRoot: String = "/proc") {
            self.discoversWorkloadPath = discoversWorkloadPath
            self.workloadSizeLimit = workloadSizeLimit
            self.procRoot = procRoot
        }
    }

    package let name = "unix"
    private let configuration: Configuration
    private let lane: BlockingLane
    private let users: NameDatabase
    private let groups: NameDatabase

    package init(_ configuration: Configuration, _ context: PluginContext) {
        self.configuration = configuration
        lane = context.lane
        users = NameDatabase(.users, path: "/etc/passwd")
        groups = NameDatabase(.groups, path: "/etc/group")
    }

    /// - Throws: with the original's texts, `failed to get process`, `UIDs lookup`, `path lookup`, `SHA256 digest`.
    package func attest(_ caller: WorkloadCaller) async throws -> [String] {
        if let found = try attestNow(caller) { return found }
        return try await lane.run { try selectors(of: caller.pid) }
    }

    /// The kernel's answer is a copy from memory, made sooner than another thread could be asked to make it. A program, and
    /// a name that is not in the local files, may take time.
    package func attestNow(_ caller: WorkloadCaller) throws -> [String]? {
        guard !configuration.discoversWorkloadPath else { return nil }
        let pid = caller.pid
        let status = try status(of: pid, ProcessFiles(root: configuration.procRoot, pid: pid))
        guard let user = users.namesNow([status.uid])?.first, let names = groups.namesNow([status.gid] + status.groups)
        else { return nil }
        var out = ["uid:\(status.uid)", "user:" + user, "gid:\(status.gid)", "group:" + names[0]]
        for (gid, name) in zip(status.groups, names.dropFirst()) {
            out.append("supplementary_gid:\(gid)")
            out.append("supplementary_group:" + name)
        }
        return out
    }

    private func status(of pid: Int32, _ files: ProcessFiles) throws -> ProcessStatus {
        guard pid > 0 else { throw SpireError(.invalid, "failed to get process: pid \(pid) is not a process") }
        do {
            return try ProcessStatus.parse(try files.status()).get()
        } catch let line as ProcessStatus.MalformedLine {
            throw SpireError(.internal, "\(line.rawValue): malformed line in the status of process \(pid)")
        } catch let error as SpireError {
            throw error.while("failed to get process")
        }
    }

    private func selectors(of pid: Int32) throws -> [String] {
        let files = ProcessFiles(root: configuration.procRoot, pid: pid)
        let status = try status(of: pid, files)
        var out = ["uid:\(status.uid)"]
        if let user = users.name(status.uid) { out.append("user:" + user) }
        out.append("gid:\(status.gid)")
        if let group = groups.name(status.gid) { out.append("group:" + group) }
        for gid in status.groups {
            out.append("supplementary_gid:\(gid)")
            if let group = groups.name(gid) { out.append("supplementary_group:" + group) }
        }
        guard configuration.discoversWorkloadPath else { return out }
        let path: String
        do {
            path = try files.executablePath()
        } catch let error as SpireError {
            throw error.while("path lookup")
        }
        out.append("path:" + path)
        guard configuration.workloadSizeLimit >= 0 else { return out }
        do {
            out.append("sha256:" + (try files.executableDigest(limit: configuration.workloadSizeLimit, name: path)))
        } catch let error as SpireError {
            throw error.while("SHA256 digest")
        }
        return out
    }
}
