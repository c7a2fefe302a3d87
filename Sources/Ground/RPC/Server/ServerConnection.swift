// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOHPACK
import NIOHTTP2

/// One connection of a server, above `NIOHTTP2Handler`: turns frames into calls and back.
///
/// Everything here runs on the channel's event loop; `@unchecked` stands for that.
final class ServerConnection: ChannelInboundHandler, @unchecked Sendable {
    typealias InboundIn = HTTP2Frame
    typealias OutboundOut = HTTP2Frame

    let server: RPCServer
    let loop: any EventLoop
    let executor: LoopExecutor
    private let peer: any Sendable
    private let watch: FrameWatch
    private var context: ChannelHandlerContext?
    private var streams: [HTTP2StreamID: ServerStream] = [:]
    /// The stream touched last: a call's frames and events come in a row, and looking it up each time would cost more.
    private var recent: ServerStream?
    private var lastStream = HTTP2StreamID.rootStream
    private var connectionWindow = InboundWindow.target
    private var heldBytes = 0
    private var runningHandlers = 0
    private var controlFrames: PeerAllowance
    private var resets: PeerAllowance
    private var timers: [Scheduled<Void>] = []
    /// Runs until the peer has said something.
    private var silence: FairTimer?
    private var isReading = false
    private var isInEvent = false
    private var isFlushScheduled = false
    /// Calls with a deadline that began in this burst: their clock starts with its end, unless they are over by then.
    private var unstarted: [ServerStream] = []
    private var hasSpoken = false
    private let age: ConnectionAge?
    private let began: NIODeadline
    /// Server-streaming calls that are open.
    private var followers = 0
    private var farewell = Farewell()
    /// Server-streaming calls have had the time a goodbye leaves them.
    private var isFollowingOver = false
    /// Asked to go before the first words could be said.
    private var isDrainingLater = false
    private var isClosed = false
    var assembly: AssemblyBudget<HTTP2StreamID>

    /// What a peer may send on the whole connection before we have to say more.
    private static let windowTarget = 1 << 20

    init(server: RPCServer, channel: any Channel, executor: LoopExecutor, peer: any Sendable, watch: FrameWatch) {
        self.server = server
        self.loop = channel.eventLoop
        self.executor = executor
        self.peer = peer
        self.watch = watch
        let now = loop.now
        began = now
        age = ConnectionAge(server.configuration)
        controlFrames = PeerAllowance(
            capacity: server.configuration.controlFrameAllowance, perSecond: 200, now: now)
        resets = PeerAllowance(capacity: server.configuration.resetAllowance, perSecond: 100, now: now)
        assembly = AssemblyBudget(
            capacity: max(server.configuration.maximumBufferedBytes, server.configuration.maximumMessageSize))
        watch.owner = self
    }

    // MARK: Channel events

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        let configuration = server.configuration
        silence = FairTimer(on: loop, in: configuration.prefaceTimeout) { self.context?.close(promise: nil) }
        lookAtAge()
    }

    func channelActive(context: ChannelHandlerContext) {
        context.fireChannelActive()
        if isDrainingLater {
            isDrainingLater = false
            drain(grace: nil)
        }
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
        silence?.cancel()
        for timer in timers { timer.cancel() }
        timers = []
        let open = streams
        streams = [:]
        recent = nil
        unstarted = []
        watch.owner = nil
        for stream in open.values { stream.closed() }
        server.forget(self)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        isReading = true
        if !hasSpoken { firstWords() }
        switch frame.payload {
        case .headers(let payload):
            if let stream = stream(frame.streamID) {
                if payload.endStream { stream.endRequest() }
            } else {
                open(frame.streamID, payload.headers, endStream: payload.endStream)
            }
        case .data(let payload):
            if case .byteBuffer(let bytes) = payload.data {
                stream(frame.streamID)?.receive(bytes, endStream: payload.endStream)
            }
        case .rstStream:
            if let stream = stream(frame.streamID), stream.machine.response == .silent,
                !resets.spend(now: loop.now)
            {
                giveUp("too many resets")
            }
        case .ping(Farewell.ping, ack: true): settleFarewell()
        // The handler itself ends a connection for an acknowledgement of settings that it did not send.
        case .ping, .settings(.settings), .priority, .alternativeService, .origin:
            if !controlFrames.spend(now: loop.now) { giveUp("too_many_pings") }
        default: break
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        // The HTTP/2 handler has just flushed what was written during this burst.
        isReading = false
        executor.socketsWereRead()
        if !unstarted.isEmpty {
            for stream in unstarted where stream.machine.handler == .waiting { stream.watchDeadline() }
            unstarted.removeAll(keepingCapacity: unstarted.capacity <= 64)
        }
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
            if event.streamID == .rootStream {
                connectionWindow = size
                if size <= Self.windowTarget / 2, !isClosed {
                    write(.windowUpdate(windowSizeIncrement: Self.windowTarget - size), .rootStream)
                }
            } else {
                stream(event.streamID)?.windowIs(size)
            }
        case let event as StreamClosedEvent:
            if recent?.id == event.streamID { recent = nil }
            if let stream = streams.removeValue(forKey: event.streamID) {
                stream.closed()
                if stream.isFollower { followerLeft() }
            }
            closeIfDone()
        case let event as ChannelEvent where event == .inputClosed:
            // The peer will send nothing more: without its frames no call can go on.
            context.close(promise: nil)
        default: break
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if watch.concernsOneStream(error) { return }
        context.close(promise: nil)
    }

    // MARK: Calls

    private func firstWords() {
        hasSpoken = true
        silence?.cancel()
        silence = nil
        write(.windowUpdate(windowSizeIncrement: Self.windowTarget - connectionWindow), .rootStream)
    }

    private func open(_ id: HTTP2StreamID, _ headers: HPACKHeaders, endStream: Bool) {
        lastStream = max(lastStream, id)
        let head: RequestHead
        do {
            head = try RequestHead(headers)
        } catch {
            return refuse(id, error, endStream: endStream)
        }
        guard let (path, handler) = server.services.handlers[head.path] else {
            return refuse(id, unknown(head.path), endStream: endStream)
        }
        guard runningHandlers < server.configuration.maximumConcurrentStreams else {
            return reset(id, .refusedStream)
        }
        let now = NIODeadline.now()
        let call = RPCContext(
            method: path, metadata: head.metadata, authority: head.authority,
            deadline: head.timeout.map { now + $0 }, peer: peer)
        let stream = ServerStream(id: id, connection: self, handler: handler, call: call, started: now)
        streams[id] = stream
        recent = stream
        if stream.isFollower { followers += 1 }
        stream.begin(endStream: endStream)
        if call.deadline != nil { unstarted.append(stream) }
    }

    private func stream(_ id: HTTP2StreamID) -> ServerStream? {
        if let recent, recent.id == id { return recent }
        guard let found = streams[id] else { return nil }
        recent = found
        return found
    }

    private func unknown(_ path: String) -> RequestHead.Refusal {
        let name = path.utf8.first == UInt8(ascii: "/") ? path.dropFirst() : path[...]
        guard let slash = name.lastIndex(of: "/") else {
            return .init(status: RPCStatus(.unimplemented, "malformed method name: \(quoted(path))"))
        }
        let service = String(name[..<slash])
        let method = name[name.index(after: slash)...]
        if server.services.services.contains(service) {
            return .init(status: RPCStatus(.unimplemented, "unknown method \(method) for service \(service)"))
        }
        return .init(status: RPCStatus(.unimplemented, "unknown service \(service)"))
    }

    /// Answers without making a call of it.
    private func refuse(_ id: HTTP2StreamID, _ refusal: RequestHead.Refusal, endStream: Bool) {
        if refusal.isMalformed { return reset(id, .protocolError) }
        let headers = ResponseHeaders.trailersOnly(
            refusal.status, http: refusal.http, namesEncodings: refusal.namesEncodings)
        write(.headers(.init(headers: headers, endStream: true)), id)
        if !endStream { reset(id, .noError) }
    }

    func handlerStarted() { runningHandlers += 1 }
    func handlerReturned() { runningHandlers -= 1 }

    /// Adds to what the connection holds for its calls. Returns whether that is still within bounds.
    func accountHeld(_ delta: Int) -> Bool {
        heldBytes += delta
        return delta <= 0 || heldBytes <= server.configuration.maximumBufferedBytes
    }

    func releaseAssembly(_ id: HTTP2StreamID) {
        if assembly.isIdle { return }
        for next in assembly.release(id) { streams[next]?.replenish() }
    }

    // MARK: Frames out

    var isWritable: Bool { context?.channel.isWritable ?? false }

    func write(_ payload: HTTP2Frame.FramePayload, _ id: HTTP2StreamID) {
        guard let context, !isClosed else { return }
        switch payload {
        case .data, .headers: controlFrames.earn()
        default: break
        }
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

    private func reset(_ id: HTTP2StreamID, _ code: HTTP2ErrorCode) {
        watch.isOurs = true
        write(.rstStream(code), id)
        watch.isOurs = false
    }

    // MARK: The end

    private func lookAtAge() {
        guard let age else { return }
        let elapsed = loop.now - began
        if age.isOver(after: elapsed, streams: followers) {
            drain(grace: server.configuration.maximumConnectionAgeGrace)
        } else if let next = age.nextLook(after: elapsed) {
            timers.append(loop.scheduleTask(in: next - elapsed) { self.lookAtAge() })
        }
    }

    private func followerLeft() {
        followers -= 1
        guard followers == 0, let age, age.isOver(after: loop.now - began, streams: 0) else { return }
        drain(grace: server.configuration.maximumConnectionAgeGrace)
    }

    /// Ends the server-streaming calls of a peer that did not go by itself when it was asked to.
    private func endFollowing() {
        isFollowingOver = true
        for stream in streams.values where stream.isFollower {
            stream.refuse(RPCStatus(.unavailable, "the server asked this connection to end; call again on another"))
        }
    }

    /// Asks the peer to go: no new calls, open ones may finish within `grace`, which counts from the latest call of this.
    func drain(grace: TimeAmount?) {
        guard !isClosed, let context else { return }
        if let grace { timers.append(loop.scheduleTask(in: grace) { self.context?.close(promise: nil) }) }
        guard context.channel.isActive else { return isDrainingLater = true }
        guard farewell.announce() else { return }
        // From where the HTTP/2 handler stands, so that only what is between it and the socket sees it.
        if let below = try? context.pipeline.syncOperations.context(handlerType: NIOHTTP2Handler.self) {
            below.write(NIOAny(IOData.byteBuffer(Farewell.announcement)), promise: nil)
        }
        context.writeAndFlush(
            wrapOutboundOut(HTTP2Frame(streamID: .rootStream, payload: .ping(Farewell.ping, ack: false))), promise: nil)
        timers.append(loop.scheduleTask(in: Farewell.patience) { self.settleFarewell() })
        if let grace = server.configuration.streamingGrace {
            timers.append(loop.scheduleTask(in: grace) { self.endFollowing() })
        }
    }

    private func settleFarewell() {
        guard !isClosed, farewell.settle() else { return }
        goAway(lastStream, .noError)
        // One that was on its way when the others were ended.
        if isFollowingOver { endFollowing() }
        closeIfDone()
    }

    private func closeIfDone() {
        guard !isClosed, farewell.end(openCalls: streams.count) else { return }
        // Not at once: what the peer still sends would make the system discard what it has not read yet. It sees the end of
        // our side, closes its own, and that closes the connection.
        loop.execute {
            guard !self.isClosed else { return }
            self.context?.flush()
            self.context?.close(mode: .output, promise: nil)
            self.timers.append(self.loop.scheduleTask(in: Farewell.linger) { self.context?.close(promise: nil) })
        }
    }

    func close() { context?.close(promise: nil) }

    /// Cuts off a peer that does too much of what costs it nothing.
    private func giveUp(_ reason: String) {
        goAway(lastStream, .enhanceYourCalm, reason)
        context?.close(promise: nil)
    }

    private func goAway(_ last: HTTP2StreamID, _ code: HTTP2ErrorCode, _ reason: String? = nil) {
        guard let context, !isClosed else { return }
        let payload = HTTP2Frame.FramePayload.goAway(
            lastStreamID: last, errorCode: code, opaqueData: reason.map { ByteBuffer(string: $0) })
        context.writeAndFlush(wrapOutboundOut(HTTP2Frame(streamID: .rootStream, payload: payload)), promise: nil)
    }
}

extension ServerConnection: FrameWatch.Owner {
    func wroteHeaders(_ id: HTTP2StreamID) {}
    func wroteData(_ id: HTTP2StreamID, _ count: Int) { stream(id)?.wrote(count) }

    func wroteEnd(_ stream: HTTP2StreamID) {
        guard let open = self.stream(stream), !open.machine.requestEnded else { return }
        // The answer is complete before the request is: the rest of the request is not wanted. Not from here, because
        // the HTTP/2 handler is in the middle of writing.
        loop.execute {
            guard self.streams[stream] != nil else { return }
            self.reset(stream, .noError)
        }
    }
}
