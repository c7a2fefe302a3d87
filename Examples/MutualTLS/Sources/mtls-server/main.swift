// SPDX-License-Identifier: Apache-2.0

// Serves one line over mutual TLS: says who it is talking to. Arguments: port, allowed SPIFFE ID, connections.

import NIOCore
import NIOPosix
import SPIFFE
import SPIFFETLS
import SPIFFEWorkloadAPI

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Writes a line at once, so that whoever started this program can follow it.
func say(_ line: String) {
    let bytes = Array((line + "\n").utf8)
    bytes.withUnsafeBytes { _ = write(1, $0.baseAddress, $0.count) }
}

typealias Connection = NIOAsyncChannel<ByteBuffer, ByteBuffer>

func serve(_ connection: Connection) async {
    do {
        try await connection.executeThenClose { inbound, outbound in
            for try await line in inbound {
                // Reading anything means the handshake is over, so the peer is known.
                guard let peer = try await connection.channel.spiffePeer().get() else { return }
                try await outbound.write(ByteBuffer(string: "hello \(peer.id), you said \(String(buffer: line))"))
                say("served \(peer.id)")
                return
            }
            say("refused a connection that said nothing")
        }
    } catch {
        say("refused \(error)")
    }
}

guard CommandLine.arguments.count == 4, let port = Int(CommandLine.arguments[1]), let count = Int(CommandLine.arguments[3])
else {
    say("usage: mtls-server PORT ALLOWED-SPIFFE-ID CONNECTIONS")
    exit(2)
}
let allowed = try SPIFFEID(CommandLine.arguments[2])
let client = try WorkloadAPIClient()
try await withX509Source(client: client) { source in
    let tls = ServerTLS.mutual(svid: source, bundles: source, authorizer: .id(allowed))
    let listener = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
        .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
        .bind(host: "127.0.0.1", port: port) { channel in
            channel.eventLoop.makeCompletedFuture {
                try tls.addHandlers(to: channel.pipeline.syncOperations)
                return try Connection(wrappingChannelSynchronously: channel)
            }
        }
    say("listening")
    try await listener.executeThenClose { connections in
        var left = count
        for try await connection in connections {
            await serve(connection)
            left -= 1
            if left == 0 { return }
        }
    }
}
await client.close()
