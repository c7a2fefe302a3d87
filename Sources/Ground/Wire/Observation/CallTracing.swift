// SPDX-License-Identifier: Apache-2.0

import Groundwork
package import RPC
package import Telemetry

/// Makes a span of every call a server serves, below the caller's when it sent a `traceparent`.
package struct CallTracing: ServerInterceptor {
    private let tracer: Tracer

    package init(_ tracer: Tracer) { self.tracer = tracer }

    package func admit(_ context: RPCContext) async throws -> RPCContext { traced(context) }
    package func admitNow(_ context: RPCContext) throws -> RPCContext? { traced(context) }

    private func traced(_ context: RPCContext) -> RPCContext {
        let parent = context.metadata["traceparent"].first.flatMap { SpanContext(traceparent: $0) }
        guard
            var span = tracer.begin(
                "\(context.method.service)/\(context.method.name)", kind: .server, parent: parent, beginsTrace: true)
        else { return context }
        span.set("rpc.system", .string("grpc"))
        span.set("rpc.service", .string(context.method.service))
        span.set("rpc.method", .string(context.method.name))
        switch context.peerIdentity {
        case .mutualTLS(_, let id, let address):
            span.set("spiffe.id", .string("\(id)"))
            span.set("network.peer.address", .string(address))
        case .tlsAnonymous(let address): span.set("network.peer.address", .string(address))
        case .unix(let process): span.set("process.pid", .integer(Int64(process.pid)))
        case .inProcess: break
        }
        var context = context
        context.scope = SpanScope(span: span)
        return context
    }

    package func finished(_ context: RPCContext, status: RPCStatus?, elapsed: Duration) {
        guard var span = (context.scope as? SpanScope)?.span else { return }
        span.set("rpc.grpc.status_code", .integer(Int64(status?.code.rawValue ?? 0)))
        span.end(failure: status.map { "\($0.code.goName): \($0.message)" })
    }
}

/// Runs a call's handler inside its span.
private struct SpanScope: CallScope {
    let span: Span

    func run(_ body: @Sendable () async throws -> Void) async throws {
        try await Tracer.$current.withValue(span.context) { try await body() }
    }
}

/// Makes a span of every call a client makes, and tells the server which one.
package struct ClientTracing: ClientCallObserver {
    private let tracer: Tracer

    /// - Returns: `nil` when nothing is traced.
    package init?(_ tracer: Tracer) {
        guard tracer.isOn else { return nil }
        self.tracer = tracer
    }

    package func begin(_ method: MethodPath, _ metadata: inout Metadata) -> (@Sendable (RPCStatus?) -> Void)? {
        guard var span = tracer.begin("\(method.service)/\(method.name)", kind: .client) else { return nil }
        span.set("rpc.system", .string("grpc"))
        span.set("rpc.service", .string(method.service))
        span.set("rpc.method", .string(method.name))
        metadata.add("traceparent", span.context.traceparent)
        return { [span] status in
            span.end(failure: status.map { "\($0.code.goName): \($0.message)" })
        }
    }
}
