// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import NIOPosix

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

// A fleet of simulated agents against one server that speaks the SPIRE server API, on this machine only: each attests
// with a join token, keeps one mutual-TLS connection, has its workloads' certificates signed and follows its entries,
// while entries come and go. `Benchmarks/run --only scale` starts a server and calls this.

let usage = """
    usage: spire-scale -admin SOCKET -bundle FILE.pem [-server HOST:PORT] [-trustDomain NAME] [-pid SERVER_PID]
                       [-agents N] [-workloads N] [-mode poll|push] [-pollInterval S] [-settle S] [-idle S] [-churn N] [-seconds S]
                       [-renewals N] [-batch N] [-createBatch N] [-width N] [-threads N] [-sqlLog FILE]
    """

func measure(_ options: ScaleOptions) async throws {
    let files = raiseOpenFiles()
    guard files > options.agents + 200 else {
        throw UsageError("\(options.agents) agents need more open files than the \(files) allowed here")
    }
    guard let pem = try? String(contentsOfFile: options.bundle, encoding: .utf8) else {
        throw UsageError("-bundle: cannot read \(options.bundle)")
    }
    let group = MultiThreadedEventLoopGroup(numberOfThreads: options.threads)
    let administrator = Administrator(options, group: group)
    let fleet = Fleet(try FleetParts(options, group: group, bundle: pem), administrator: administrator)
    var report = Report()
    try await ScaleRun(fleet: fleet).run(&report)
    print(report.json)
}

do {
    try await measure(ScaleOptions(CommandLine.arguments.dropFirst()))
} catch let error as UsageError {
    print("\(error)\n\(usage)")
    exit(2)
} catch {
    print("failed: \(error)")
    exit(1)
}
