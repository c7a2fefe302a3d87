// SPDX-License-Identifier: Apache-2.0

import Crypto
import FoundationEssentials
import Groundwork
import Logging
import PluginAPI
import SPIFFE
import TestKit
import Testing

@testable import PluginsBasic

#if canImport(Glibc)
import Glibc
#endif

/// A child process that lives until it is told to end.
private final class Child {
    let pid: pid_t

    /// Runs `/bin/sleep` under other credentials; needs root for that.
    init(_ arguments: [String]) throws {
        var pid: pid_t = 0
        let words = arguments.map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        guard posix_spawnp(&pid, arguments[0], nil, nil, words, environ) == 0 else {
            throw SpireError(.io, "cannot start \(arguments)")
        }
        self.pid = pid
    }

    func end() {
        kill(pid, SIGKILL)
        var status: Int32 = 0
        waitpid(pid, &status, 0)
    }

    /// Waits until the program of the child is `/bin/sleep`: before that it is still on its way there.
    func settle() async throws {
        for _ in 0..<1_000_000 {
            if let name = try AtomicFile.read("/proc/\(pid)/comm"), name.starts(with: Array("sleep".utf8)) { return }
            await Task.yield()
        }
    }
}

struct UnixWorkloadAttestorTests {
    private func attestor(_ configuration: UnixWorkloadAttestor.Configuration = .init()) throws -> UnixWorkloadAttestor {
        UnixWorkloadAttestor(
            configuration,
            PluginContext(
                name: "unix", trustDomain: try TrustDomain("example.org"), logger: Logger(label: "tests"),
                time: SystemTime(), random: SystemRandom(), lane: BlockingLane("tests", width: 1)))
    }

    private func caller(_ pid: Int32) -> WorkloadCaller { WorkloadCaller(pid: pid, uid: 0, gid: 0) }

    @Test("a process of another user is attested by its own numbers and names, not by the caller's",
        .enabled(if: geteuid() == 0))
    func otherUser() async throws {
        let child = try Child(["setpriv", "--reuid=1", "--regid=2", "--groups=3,54321", "sleep", "30"])
        defer { child.end() }
        try await child.settle()
        let found = try await attestor().attest(caller(child.pid))
        #expect(
            found == [
                "uid:1", "user:daemon", "gid:2", "group:bin", "supplementary_gid:3", "supplementary_group:sys",
                "supplementary_gid:54321",
            ])
    }

    @Test("with discovery the program's path and digest are found")
    func program() async throws {
        let child = try Child(["sleep", "30"])
        defer { child.end() }
        try await child.settle()
        let found = try await attestor(.init(discoversWorkloadPath: true)).attest(caller(child.pid))
        let path = try #require(found.first { $0.hasPrefix("path:") }).dropFirst(5)
        let bytes = try #require(try AtomicFile.read(String(path)))
        let digest = SHA256.hash(data: bytes).map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
        #expect(found.last == "sha256:" + digest)
    }

    @Test("a program over the size limit fails the attestation; a negative limit leaves the digest out")
    func limits() async throws {
        let child = try Child(["sleep", "30"])
        defer { child.end() }
        try await child.settle()
        do {
            _ = try await attestor(.init(discoversWorkloadPath: true, workloadSizeLimit: 100)).attest(caller(child.pid))
            #expect(Bool(false), "it was attested")
        } catch let error as SpireError {
            #expect(error.message.hasPrefix("SHA256 digest: workload /") && error.message.contains("exceeds size limit ("))
            #expect(error.message.hasSuffix("> 100)"))
        }
        let found = try await attestor(.init(discoversWorkloadPath: true, workloadSizeLimit: -1)).attest(caller(child.pid))
        #expect(found.contains { $0.hasPrefix("path:") } && !found.contains { $0.hasPrefix("sha256:") })
    }

    @Test("a process that has ended is not attested")
    func ended() async throws {
        let child = try Child(["sleep", "30"])
        try await child.settle()
        child.end()
        await #expect(throws: SpireError.self) { try await attestor().attest(caller(child.pid)) }
        await #expect(throws: SpireError.self) { try await attestor().attest(caller(0)) }
        await #expect(throws: SpireError.self) { try await attestor().attest(caller(-1)) }
    }
}

struct ProcessStatusTests {
    private func parse(_ text: String) -> Result<ProcessStatus, ProcessStatus.MalformedLine> {
        ProcessStatus.parse(Array(text.utf8))
    }

    @Test("the effective numbers are taken, which are the second of each line")
    func effective() throws {
        let text = "Name:\tx\nUid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nFDSize:\t64\nGroups:\t9 10 \nVmPeak: 1\n"
        #expect(try parse(text).get() == ProcessStatus(uid: 2, gid: 6, groups: [9, 10]))
    }

    @Test("a process without further groups has an empty list")
    func noGroups() throws {
        #expect(try parse("Uid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nGroups:\t \n").get().groups.isEmpty)
    }

    @Test("missing and malformed lines are named", arguments: [
        ("", ProcessStatus.MalformedLine.uid), ("Uid:\t1\n", .uid), ("Uid:\t1\tx\n", .uid), ("Uid:\t1\t99999999999\n", .uid),
        ("Uid:\t1\t1\n", .gid), ("Uid:\t1\t1\nGid:\t1\t1\n", .groups), ("Uid:\t1\t1\nGid:\t1\t1\nGroups:\t-1\n", .groups),
    ])
    func malformed(_ text: String, _ line: ProcessStatus.MalformedLine) {
        #expect(parse(text) == .failure(line))
    }

    @Test("a name that imitates a line does not deceive: the kernel escapes line feeds")
    func imitation() throws {
        let text = "Name:\tx\\nUid:\\t0\\t0\nUid:\t7\t7\t7\t7\nGid:\t7\t7\t7\t7\nGroups:\t\n"
        #expect(try parse(text).get().uid == 7)
    }
}

struct NameDatabaseTests {
    @Test("the first line with a number counts, comments and damaged lines do not")
    func parsing() {
        let text = "root:x:0:0::/:/bin/sh\nother:x:0:0\n#no:x:1:1\nbad line\nx:y:notanumber:1\n+::::\nweb:x:1000:1000:::\n"
        #expect(NameDatabase.parse(Array(text.utf8)) == [0: "root", 1000: "web"])
    }

    @Test("a changed file is read again")
    func refresh() throws {
        let path = "/tmp/spire-names-" + SystemRandom().uuid()
        defer { unlink(path) }
        try AtomicFile.write(Array("a:x:7654321:1:\n".utf8), to: path)
        let names = NameDatabase(.users, path: path)
        #expect(names.name(7_654_321) == "a")
        try AtomicFile.write(Array("bb:x:7654321:1:\n".utf8), to: path)
        #expect(names.name(7_654_321) == "bb")
        unlink(path)
        #expect(names.name(7_654_321) == nil)
    }
}
