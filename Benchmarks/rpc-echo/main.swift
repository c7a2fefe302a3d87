// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOPosix
import RPC
import SwiftProtobuf
import Wire

// A gRPC server and a load client for the tests against foreign peers and for measuring the RPC layer alone.
//
//   rpc-echo serve <socket> [threads]
//   rpc-echo load <socket> <calls> <streams> <connections> [immediate|unary|fresh]
//   rpc-echo hold <socket> <streams> <per connection>
//   rpc-echo rss <pid>

let arguments = CommandLine.arguments
switch arguments.count > 2 ? arguments[1] : "" {
case "serve":
    let group = MultiThreadedEventLoopGroup(numberOfThreads: arguments.count > 3 ? Int(arguments[3]) ?? 2 : 2)
    let server = RPCServer(services: EchoService.table(), errorMapper: { RPCStatus(mapping: $0) })
    let listener = try await UnixListener.bind(path: arguments[2], mode: 0o777, group: group, server: server)
    print("listening on \(listener.path)")
    while true { try await Task.sleep(for: .seconds(3600)) }
case "load" where arguments.count > 5:
    try await Load(
        path: arguments[2], calls: Int(arguments[3]) ?? 1, streams: Int(arguments[4]) ?? 1,
        connections: Int(arguments[5]) ?? 1, mode: arguments.count > 6 ? arguments[6] : "immediate"
    ).run()
case "hold" where arguments.count > 4:
    try await Load.hold(path: arguments[2], streams: Int(arguments[3]) ?? 1, perConnection: Int(arguments[4]) ?? 1)
default:
    print("usage: rpc-echo serve <socket> [threads] | load <socket> <calls> <streams> <connections> [mode] | hold …")
}
