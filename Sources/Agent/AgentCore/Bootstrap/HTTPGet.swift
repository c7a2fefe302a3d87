// SPDX-License-Identifier: Apache-2.0

package import NIOCore
import Groundwork
import NIOHTTP1
import NIOPosix
import NIOSSL
import Wire

/// One bounded HTTP GET, for the one download an agent makes: its first trust bundle.
package enum HTTPGet {
    /// Most bytes of a body.
    static let maximumBody = 8 << 20
    private static let maximumRedirects = 5
    private static let timeout: TimeAmount = .seconds(30)

    package struct Answer: Sendable {
        package var status: Int
        package var reason: String
        package var location: String?
        package var body: [UInt8]
    }

    /// Fetches an `https` URL, trusting the system's authorities, or with `unixSocket` an `http` URL over that socket.
    /// Redirects of `https` to `https` are followed.
    /// - Parameter proxies: Whom to ask for a tunnel to an `https` host.
    /// - Throws: `agent.bootstrap_bundle`.
    package static func fetch(
        _ url: String, unixSocket: String? = nil, proxies: ProxySettings = .none, group: any EventLoopGroup
    ) async throws -> Answer {
        var place = try Place(url)
        for _ in 0...maximumRedirects {
            let answer: Answer
            do {
                let proxy = unixSocket == nil ? try proxies.proxy(for: place) : nil
                answer = try await fetch(place, unixSocket, proxy, on: group.any())
            } catch let error as SpireError {
                throw error
            } catch {
                throw SpireError(.bootstrapBundle, "unable to fetch trust bundle URL \(url): \(DialError.reason(error))")
            }
            guard [301, 302, 303, 307, 308].contains(answer.status), let location = answer.location else {
                return answer
            }
            let next = try place.following(location)
            guard place.scheme == "http" || next.scheme == "https" else {
                throw SpireError(.bootstrapBundle, "the trust bundle URL redirects away from https")
            }
            place = next
        }
        throw SpireError(.bootstrapBundle, "unable to fetch trust bundle URL \(url): stopped after 10 redirects")
    }

    /// A URL taken apart as far as a request needs it.
    struct Place: Sendable, Equatable {
        var scheme: String
        /// `host` or `host:port`, as it goes into the `Host` field.
        var authority: String
        var host: String
        var port: Int
        /// Path and query, beginning with a slash; no fragment.
        var target: String

        init(_ url: String) throws {
            guard let colon = url.firstIndex(of: ":"), url[colon...].hasPrefix("://") else {
                throw Self.malformed(url)
            }
            scheme = url[..<colon].lowercased()
            guard scheme == "https" || scheme == "http" else { throw Self.malformed(url) }
            let rest = url[colon...].dropFirst(3).prefix { $0 != "#" }
            let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
            var authority = String(rest[..<end])
            if let at = authority.lastIndex(of: "@") { authority = String(authority[authority.index(after: at)...]) }
            let path = String(rest[end...])
            target = path.hasPrefix("/") ? path : "/" + path
            self.authority = authority
            let isSafe = { (text: String) in text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f } }
            guard isSafe(authority), isSafe(target) else { throw Self.malformed(url) }
            port = scheme == "https" ? 443 : 80
            host = authority
            let bracket = authority.lastIndex(of: "]")
            if let colon = authority.lastIndex(of: ":"), bracket.map({ $0 < colon }) ?? true {
                guard let number = UInt16(authority[authority.index(after: colon)...]) else { throw Self.malformed(url) }
                port = Int(number)
                host = String(authority[..<colon])
            }
            if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        }

        func following(_ location: String) throws -> Place {
            if location.contains("://") { return try Place(location) }
            guard location.hasPrefix("/"), !location.hasPrefix("//") else { throw Self.malformed(location) }
            return try Place("\(scheme)://\(authority)\(location)")
        }

        private static func malformed(_ url: String) -> SpireError {
            SpireError(.bootstrapBundle, "unable to fetch trust bundle URL \(url): the URL is malformed")
        }
    }

    private static func fetch(
        _ place: Place, _ unixSocket: String?, _ proxy: ProxySettings.Proxy?, on loop: any EventLoop
    ) async throws -> Answer {
        let promise = loop.makePromise(of: Answer.self)
        var tls: NIOSSLContext?
        if place.scheme == "https" { tls = try NIOSSLContext(configuration: .makeClientConfiguration()) }
        let context = tls
        let bootstrap = ClientBootstrap(group: loop).connectTimeout(timeout).channelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                let pipeline = channel.pipeline.syncOperations
                // The handlers of the exchange itself; a tunnel adds them once it stands.
                let exchange = { @Sendable (pipeline: ChannelPipeline.SynchronousOperations) throws in
                    if let context {
                        let isAddress = (try? SocketAddress(ipAddress: place.host, port: 0)) != nil
                        try pipeline.addHandler(
                            NIOSSLClientHandler(context: context, serverHostname: isAddress ? nil : place.host))
                    }
                    try pipeline.addHTTPClientHandlers()
                    try pipeline.addHandler(Collector(place, promise))
                }
                if let proxy {
                    try pipeline.addHandler(ProxyTunnel(to: place, through: proxy, promise, then: exchange))
                } else {
                    try exchange(pipeline)
                }
            }
        }
        let deadline = loop.scheduleTask(in: timeout) { promise.fail(CollectorError("timed out")) }
        let connected: EventLoopFuture<any Channel>
        if let unixSocket {
            connected = bootstrap.connect(unixDomainSocketPath: unixSocket)
        } else if let proxy {
            connected = bootstrap.connect(host: proxy.host, port: proxy.port)
        } else {
            connected = bootstrap.connect(host: place.host.isEmpty ? "localhost" : place.host, port: place.port)
        }
        connected.whenFailure { promise.fail($0) }
        promise.futureResult.whenComplete { _ in
            deadline.cancel()
            connected.whenSuccess { $0.close(promise: nil) }
        }
        return try await promise.futureResult.get()
    }

    struct CollectorError: Error, CustomStringConvertible {
        let description: String
        init(_ text: String) { description = text }
    }

    /// Sends the request and collects the answer. Lives on its channel's event loop.
    private final class Collector: ChannelInboundHandler {
        typealias InboundIn = HTTPClientResponsePart
        typealias OutboundOut = HTTPClientRequestPart

        private let place: Place
        private let promise: EventLoopPromise<Answer>
        private var answer: Answer?

        init(_ place: Place, _ promise: EventLoopPromise<Answer>) {
            self.place = place
            self.promise = promise
        }

        func handlerAdded(context: ChannelHandlerContext) {
            // In a tunnel the channel has long been active.
            if context.channel.isActive { ask(context) }
        }

        func channelActive(context: ChannelHandlerContext) {
            ask(context)
            context.fireChannelActive()
        }

        private func ask(_ context: ChannelHandlerContext) {
            let headers: HTTPHeaders = [
                "Host": place.authority, "User-Agent": "spire-agent", "Accept-Encoding": "identity",
                "Connection": "close",
            ]
            let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: place.target, headers: headers)
            context.write(wrapOutboundOut(.head(head)), promise: nil)
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head(let head):
                answer = Answer(
                    status: Int(head.status.code), reason: head.status.reasonPhrase,
                    location: head.headers["location"].first, body: [])
            case .body(let bytes):
                let total = (answer?.body.count ?? 0) + bytes.readableBytes
                guard total <= maximumBody else {
                    return promise.fail(CollectorError("the answer is larger than \(maximumBody) bytes"))
                }
                answer?.body.append(contentsOf: bytes.readableBytesView)
            case .end:
                if let answer { promise.succeed(answer) }
            }
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            promise.fail(error)
            context.close(promise: nil)
        }

        func channelInactive(context: ChannelHandlerContext) {
            promise.fail(CollectorError("the connection ended before the answer was complete"))
            context.fireChannelInactive()
        }
    }
}
