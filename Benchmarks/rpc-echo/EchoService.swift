// SPDX-License-Identifier: Apache-2.0

import RPC
import SwiftProtobuf
import Wire

typealias Bytes = Google_Protobuf_BytesValue
typealias Text = Google_Protobuf_StringValue
typealias Number = Google_Protobuf_Int64Value

enum EchoMethods {
    static let now = UnaryMethod<Bytes, Bytes>("test.Echo", "Now")
    static let unary = UnaryMethod<Bytes, Bytes>("test.Echo", "Unary")
    static let who = UnaryMethod<Bytes, Text>("test.Echo", "Who")
    static let sleep = UnaryMethod<Number, Bytes>("test.Echo", "Sleep")
    static let fail = UnaryMethod<Text, Bytes>("test.Echo", "Fail")
    /// Sends as many 8-byte messages as the request says, or one and then nothing for ever when it says 0.
    static let count = ServerStreamingMethod<Number, Number>("test.Echo", "Count")
    static let sum = ClientStreamingMethod<Number, Number>("test.Echo", "Sum")
    static let chat = BidirectionalMethod<Bytes, Bytes>("test.Echo", "Chat")
    /// Handlers of `sleep` and `count` that run now, and how many have been cancelled since the start.
    static let handlers = UnaryMethod<Bytes, Text>("test.Echo", "Handlers")
}

enum EchoService {
    static func table() -> ServiceTable {
        let cancellations = Cancellations()
        var table = ServiceTable()
        table.immediate(EchoMethods.now) { request, _ in request }
        table.unary(EchoMethods.unary) { request, _ in request }
        table.immediate(EchoMethods.who) { _, context in
            guard case .unix(let process) = context.peerIdentity else { return Text() }
            return Text.with { $0.value = "\(process.pid) \(process.uid) \(process.gid) \(process.isAlive)" }
        }
        table.unary(EchoMethods.sleep) { request, _ in
            try await cancellations.counting { try await Task.sleep(for: .milliseconds(request.value)) }
            return Bytes()
        }
        table.immediate(EchoMethods.fail) { request, _ in
            throw RPCStatus(
                .failedPrecondition, request.value,
                details: [.init(typeURL: "type.googleapis.com/google.protobuf.StringValue", value: [10, 1, 120])])
        }
        table.serverStreaming(EchoMethods.count) { request, writer, _ in
            try await cancellations.counting {
                for number in 0..<max(1, request.value) { try await writer.send(Number.with { $0.value = number }) }
                if request.value == 0 { try await Task.sleep(for: .seconds(3600)) }
            }
        }
        table.clientStreaming(EchoMethods.sum) { requests, _ in
            var total = Number()
            for try await number in requests { total.value += number.value }
            return total
        }
        table.bidirectional(EchoMethods.chat) { requests, writer, _ in
            for try await bytes in requests { try await writer.send(bytes) }
        }
        table.immediate(EchoMethods.handlers) { _, _ in
            let (running, cancelled) = cancellations.counts
            return Text.with { $0.value = "\(running) \(cancelled)" }
        }
        return table
    }
}
