// SPDX-License-Identifier: Apache-2.0

import NIOPosix

// One measurement a run: makes a load over the real protocols and prints one JSON line about it.
// `Benchmarks/run` starts the programs, calls this and reads their CPU time.

let options = LoadOptions(CommandLine.arguments.dropFirst())
let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)

switch options.scenario {
case "x509-fetch": try await WorkloadLoad(options, group).fetchX509()
case "jwt-fetch": try await WorkloadLoad(options, group).fetchJWT()
case "streams": try await WorkloadLoad(options, group).openStreams()
case "mint-x509": try await AdminLoad(options, group).mintX509()
case "mint-jwt": try await AdminLoad(options, group).mintJWT()
case "create-entries": try await AdminLoad(options, group).createEntries()
case "list-entries": try await AdminLoad(options, group).listEntries()
case "count-entries": try await AdminLoad(options, group).countEntries()
case "authorized": try await AgentLoad(options, group).authorized()
case "sign-batches": try await AgentLoad(options, group).signBatches()
case "entry-to-workload": try await PushLoad(options, group).entryToWorkload()
default:
    print(
        """
        usage: spire-load SCENARIO -socket PATH [-callers N] [-seconds S] [-fresh] [-count N] [-batch N] [-parent ID]
                          [-token T -server HOST:PORT] [-shape distinct|same-id|same-selector] [-first N]
                          [-api PATH -uid N]
        scenarios: x509-fetch jwt-fetch streams mint-x509 mint-jwt create-entries list-entries count-entries
                   sign-batches authorized entry-to-workload
        """)
}
