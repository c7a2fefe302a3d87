// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOHPACK
import NIOHTTP2
import Synchronization

/// One connection of a client, above `NIOHTTP2Handler`.
///
/// Everything but `isUsable` runs on the channel's event loop; `@unchecked` stands for that.
final class ClientConnection: ChannelInboundHandler, @unchecked Sendable {
    typealias InboundIn = HTTP2Frame
    typealias OutboundOut = HTTP2Frame

    /// What a server may send on one call, and on all of them, before we have to say more.
    static let streamWindow = 256 << 10
    private static let connectionWindow = 1 << 20

    let configuration: RPCClientConfiguration
    let loop: any EventLoop
    private let watch: FrameWatch
    private let ended: @Sendable (ClientConnection) -> Void
    private var context: ChannelHandlerContext?
    private var streams: [HTTP2StreamID: ClientStream] = [:]
    private var nextID = HTTP2StreamID(1)
    private var goAway: (last: HTTP2StreamID, code: HTTP2ErrorCode, text: String)?
    private var failure: (any Error)?
    private var isReading = false
    private var isInEvent = false
    private var isFlushScheduled = false
    private var isClosed = false
    private var closeReason: RPCStatus?
    private var keepalive: Scheduled<Void>?
    /// Open calls that want to know whether the server is there, and how often.
    private var watched: Set<HTTP2StreamID> = []
    private var watchInterval: TimeAmount?
    private var signOfLife: FairTimer?
    private var resets = ResetWindow()
    /// The first acknowledgement is that of the settings we began with.
    private var hasFirstAcknowledgement = false
    private var pingsOut = 0
    private let usable = Atomic<Bool>(true)

    /// Whether new calls may be started here. May turn false at any moment; `open` has the last word.
    var isUsable: Bool { usable.load(ordering: .acquiring) }

    init(
        channel: any Channel, configuration: RPCClientConfiguration, watch: FrameWatch,
        ended: @escaping @Sendable (ClientConnection) -> Void
    ) {
        loop = channel.eventLoop
        self.configuration = configuration
        self.watch = watch
        self.ended = ended
        watch.owner = self
    }

    // MARK: Channel events

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        let more = Self.connectionWindow - InboundWindow.target
        if context.channel.isActive { write(.windowUpdate(windowSizeIncrement: more), .rootStream) }
        scheduleKeepalive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        teardown()
        self.context = nil
    }

    func channelInactive(context: ChannelHandlerContext) {
        teardown()
        context.fireChannelInactive()
    }

    private func teardown() {
        guard !isClosed else { return }
        isClosed = true
        keepalive?.cancel()
        signOfLife?.cancel()
        retire()
        let open = streams
        streams = [:]
        watch.owner = nil
        let status = closeReason ?? RPCStatus(.unavailable, lossText())
        for stream in open.values { stream.fail(stream.hasLeft ? .failed(status) : .unprocessed(status)) }
    }

    private func lossText() -> String {
        let reading = failure.map { "error reading from server: \($0)" } ?? "error reading from server: EOF"
        guard let goAway else { return reading }
        let text = goAway.text.isEmpty ? "" : ", debug data: \(quoted(goAway.text))"
        return "closing transport due to: connection error: desc = \(quoted(reading)), received prior goaway: "
            + "code: \(ResponseHead.name(goAway.code))\(text)"
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        isReading = true
        pingsOut = 0
        switch frame.payload {
        case .headers(let payload):
            streams[frame.streamID]?.receive(headers: payload.headers, endStream: payload.endStream)
        case .data(let payload):
            if case .byteBuffer(let bytes) = payload.data {
                streams[frame.streamID]?.receive(bytes, endStream: payload.endStream)
            }
        case .goAway(let last, let code, let data):
            let text = data.map { String(buffer: $0) } ?? ""
            goAway = (last, code, String(text.prefix(256)))
            retire()
            let status = RPCStatus(.unavailable, lossText())
            for stream in streams.values {
                if stream.id > last || !stream.hasLeft { stream.fail(.unprocessed(status)) } else { stream.mustLeave() }
            }
            closeIfDone()
        case .settings(.ack):
            guard hasFirstAcknowledgement else {
                hasFirstAcknowledgement = true
                break
            }
            write(resets.acknowledged())
        default: break
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        isReading = false
        context.fireChannelReadComplete()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { for stream in streams.values { stream.wakeWriters() } }
        context.fireChannelWritabilityChanged()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        isInEvent = true
        defer { isInEvent = false }
        switch event {
        case let event as NIOHTTP2WindowUpdatedEvent:
            guard let size = event.inboundWindowSize else { break }
            if event.streamID != .rootStream {
                streams[event.streamID]?.windowIs(size)
            } else if size <= Self.connectionWindow / 2, !isClosed {
                write(.windowUpdate(windowSizeIncrement: Self.connectionWindow - size), .rootStream)
            }
        case let event as StreamClosedEvent:
            resets.closed(event.streamID)
            let isUnprocessed = goAway.map { event.streamID > $0.last } ?? false
            streams[event.streamID]?.closed(event.reason, isUnprocessed: isUnprocessed)
        case let event as ChannelEvent where event == .inputClosed:
            context.close(promise: nil)
        default: break
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if watch.concernsOneStream(error) { return }
        failure = failure ?? error
        context.close(promise: nil)
    }

    // MARK: Calls

    /// Starts a call.
    /// - Returns: `nil` when this connection takes no more calls.
    func open(
        _ path: MethodPath, metadata: Metadata, deadline: NIODeadline?, keepalive interval: TimeAmount? = nil,
        leaving: (@Sendable () -> Void)? = nil
    ) -> ClientStream? {
        guard !isClosed, isUsable, context != nil else { return nil }
        let id = nextID
        nextID = HTTP2StreamID(Int(nextID) + 2)
        // Stream numbers are 31 bits: the last ones are left alone, and the next call gets a new connection.
        if Int(nextID) >= Int(Int32.max) - 2 { retire() }
        var headers = HPACKHeaders()
        headers.reserveCapacity(8 + metadata.pairs.count)
        headers.add(name: ":method", value: "POST")
        headers.add(name: ":scheme", value: configuration.scheme)
        headers.add(name: ":path", value: path.description)
        headers.add(name: ":authority", value: configuration.authority)
        headers.add(name: "content-type", value: "application/grpc")
        headers.add(name: "te", value: "trailers")
        headers.add(name: "user-agent", value: configuration.userAgent)
        if let deadline {
            headers.add(
                name: "grpc-timeout", value: Timeout.format(deadline - .now()), indexing: .nonIndexable)
        }
        for pair in metadata.pairs { headers.add(name: pair.name, value: pair.value, indexing: .nonIndexable) }
        let stream = ClientStream(id: id, connection: self, deadline: deadline, leaving: leaving)
        streams[id] = stream
        write(.headers(.init(headers: headers)), id)
        if let interval {
            watched.insert(id)
            watchInterval = watchInterval ?? interval
            if keepalive == nil { scheduleKeepalive() }
        }
        return stream
    }

    func remove(_ stream: ClientStream) {
        streams.removeValue(forKey: stream.id)
        if watched.remove(stream.id) != nil, watched.isEmpty { watchInterval = nil }
        closeIfDone()
    }

    var isWritable: Bool { context?.channel.isWritable ?? false }

    func write(_ payload: HTTP2Frame.FramePayload, _ id: HTTP2StreamID) {
        guard let context, !isClosed else { return }
        context.write(wrapOutboundOut(HTTP2Frame(streamID: id, payload: payload)), promise: nil)
        if isInEvent || !context.channel.isWritable {
            // The HTTP/2 handler takes it that control frames which it holds back have been flushed by the time it
            // writes data again; its events come while it is writing.
            return context.flush()
        }
        guard !isReading, !isFlushScheduled else { return }
        isFlushScheduled = true
        loop.execute {
            self.isFlushScheduled = false
            self.context?.flush()
        }
    }

    func reset(_ id: HTTP2StreamID) { write(resets.reset(id)) }

    private func write(_ step: ResetWindow.Step) {
        for id in step.send {
            watch.isOurs = true
            write(.rstStream(.cancel), id)
            watch.isOurs = false
        }
        if step.ask { write(.settings(.settings([])), .rootStream) }
    }

    // MARK: The end

    private func retire() {
        guard usable.exchange(false, ordering: .acquiringAndReleasing) else { return }
        ended(self)
    }

    private func closeIfDone() {
        guard !isUsable, streams.isEmpty, !isClosed else { return }
        // Resets just written are to get out before.
        loop.execute {
            self.context?.flush()
            self.context?.close(promise: nil)
        }
    }

    /// Takes no more calls, and ends once those that are open are over.
    func leave() {
        retire()
        closeIfDone()
    }

    func close(_ reason: RPCStatus) {
        closeReason = reason
        context?.close(promise: nil)
    }

    private func scheduleKeepalive() {
        guard let interval = configuration.keepaliveInterval ?? watchInterval else {
            keepalive = nil
            return
        }
        keepalive = loop.scheduleTask(in: interval) {
            guard !self.isClosed else { return }
            guard self.configuration.keepaliveInterval ?? self.watchInterval != nil else {
                self.keepalive = nil
                return
            }
            self.pingsOut += 1
            self.write(.ping(HTTP2PingData(withInteger: 0), ack: false), .rootStream)
            self.signOfLife = FairTimer(on: self.loop, in: self.configuration.keepaliveTimeout) {
                // Any frame from the server since then is a sign of life.
                if self.pingsOut > 0 {
                    self.close(RPCStatus(.unavailable, "keepalive ping failed to receive ACK within timeout"))
                } else {
                    self.scheduleKeepalive()
                }
            }
        }
    }
}

extension ClientConnection: FrameWatch.Owner {
    func wroteHeaders(_ stream: HTTP2StreamID) { streams[stream]?.hasLeft = true }
    func wroteData(_ stream: HTTP2StreamID, _ count: Int) { streams[stream]?.wrote(count) }
    func wroteEnd(_ stream: HTTP2StreamID) {}
}
