// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOEmbedded
import RPC
import SwiftProtobuf
import Wire

extension FuzzTarget {
    static func proxy(_ bytes: [UInt8]) throws -> Verdict {
        let reading = ProxyHeader.read(bytes[...])
        switch reading {
        case .absent: return .refused("absent")
        case .incomplete:
            try promise(bytes.count < ProxyHeader.longestBinary, "waits for ever")
            return .refused("incomplete")
        case .malformed(let why):
            try promise(!why.isEmpty, "refused without a word")
            return .refused(why)
        case .complete(let header):
            try promise((1...bytes.count).contains(header.length), "a header longer than what came")
            // Sooner or later, in any pieces, it is the same header; before its last byte there is none.
            try promise(ProxyHeader.read(bytes[..<header.length]) == reading, "what follows a header changes it")
            try promise(ProxyHeader.read(bytes[..<(header.length - 1)]) == .incomplete, "a header before its end")
            if let source = header.source {
                let colon = source.lastIndex(of: ":") ?? source.endIndex
                let host = source[..<colon].drop { $0 == "[" }.prefix { $0 != "]" }
                let port = Int(source[colon...].dropFirst()) ?? -1
                try promise((try? SocketAddress(ipAddress: String(host), port: port)) != nil, "a client that is nowhere")
            }
            return .accepted("\(header.source ?? "-"), \(header.length) bytes")
        }
    }

    private static let echo = UnaryMethod<Google_Protobuf_BytesValue, Google_Protobuf_BytesValue>("test.Echo", "Now")
    private static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

    /// A connection from its first byte on. Bytes that begin otherwise come after a client's right beginning, and arrive
    /// in pieces of as many bytes as the first of them says.
    static func rpc(_ bytes: [UInt8]) throws -> Verdict {
        var table = ServiceTable()
        table.immediate(echo) { request, _ in request }
        var configuration = RPCServerConfiguration()
        configuration.maximumMessageSize = 1 << 10
        let server = RPCServer(services: table, configuration: configuration)
        let channel = EmbeddedChannel()
        defer { _ = try? channel.finish(acceptAlreadyClosed: true) }
        try server.serve(on: channel, peer: "fuzz").wait()
        try channel.connect(to: SocketAddress(unixDomainSocketPath: "/fuzz")).wait()
        var rest = bytes[...]
        var piece = Int.max
        if !bytes.starts(with: preface.prefix(4)) {
            send(preface + [0, 0, 0, 4, 0, 0, 0, 0, 0], channel)
            piece = max(1, Int(rest.popFirst() ?? 0))
        }
        var answered = 0
        while !rest.isEmpty, channel.isActive {
            send(Array(rest.prefix(piece)), channel)
            rest = rest.dropFirst(piece)
            channel.embeddedEventLoop.run()
            while let out = try? channel.readOutbound(as: ByteBuffer.self) { answered += out.readableBytes }
            // Settings, small answers and goodbyes: nothing makes more of a byte than an echo and its headers.
            try promise(answered <= 4096 + 512 * bytes.count, "\(answered) bytes answer \(bytes.count)")
        }
        let isOpen = channel.isActive
        _ = try? channel.finish(acceptAlreadyClosed: true)
        channel.embeddedEventLoop.run()
        try promise(server.connectionCount == 0, "a connection that ended is kept")
        return isOpen ? .accepted("open") : .refused("closed")
    }

    private static func send(_ bytes: [UInt8], _ channel: EmbeddedChannel) {
        guard channel.isActive else { return }
        _ = try? channel.writeInbound(ByteBuffer(bytes: bytes))
    }

    static func status(_ bytes: [UInt8]) throws -> Verdict {
        let text = text(bytes)
        try promise(
            same(StatusEncoding.percentDecode(StatusEncoding.percentEncode(text)), text), "a message was changed on the way")
        _ = StatusEncoding.percentDecode(text)
        try promise(StatusEncoding.fromBase64(StatusEncoding.base64(bytes)) == bytes, "bytes were changed on the way")
        _ = StatusEncoding.fromBase64(text)
        if let timeout = Timeout.parse(text), timeout.nanoseconds > 0 {
            let again = Timeout.parse(Timeout.format(timeout))
            try promise((again?.nanoseconds ?? 0) >= timeout.nanoseconds, "a deadline became shorter")
        }
        guard let status = StatusDetails.decode(bytes) else { return .refused("no status") }
        try promise(StatusDetails.decode(StatusDetails.encode(status)) == status, "a status was changed on the way")
        return .accepted("\(status), \(status.details.count) details")
    }
}
