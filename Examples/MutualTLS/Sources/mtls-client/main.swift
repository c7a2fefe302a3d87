// SPDX-License-Identifier: Apache-2.0

// Says one line over mutual TLS and prints the answer. Arguments: port, the server's SPIFFE ID.

import NIOCore
import NIOPosix
import SPIFFE
import SPIFFETLS
import SPIFFEWorkloadAPI

let arguments = CommandLine.arguments
guard arguments.count == 3, let port = Int(arguments[1]) else {
    print("usage: mtls-client PORT SERVER-SPIFFE-ID")
    throw SPIFFEError(.invalidEndpoint, "wrong arguments")
}
let expected = try SPIFFEID(arguments[2])
let client = try WorkloadAPIClient()
try await withX509Source(client: client) { source in
    let tls = ClientTLS.mutual(svid: source, bundles: source, authorizer: .id(expected))
    let connection = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
        .connect(host: "127.0.0.1", port: port) { channel in
            channel.eventLoop.makeCompletedFuture {
                try tls.addHandlers(to: channel.pipeline.syncOperations)
                return try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
            }
        }
    try await connection.executeThenClose { inbound, outbound in
        try await outbound.write(ByteBuffer(string: "good day\n"))
        for try await answer in inbound {
            print(String(buffer: answer))
            return
        }
    }
}
await client.close()
