// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
package import Groundwork
package import Logging
import SwiftProtobuf
package import Telemetry
import TelemetryProtos

/// Sends finished spans to an OpenTelemetry collector, in the background. A collector that is away costs spans, nothing
/// else.
package struct SpanExporter: Sendable {
    private static let interval: Duration = .seconds(1)
    private static let batch = 512
    private static let timeout: Duration = .seconds(10)
    private static let lastTimeout: Duration = .seconds(2)
    private static let complaintInterval: Duration = .seconds(60)

    private let tracer: Tracer
    private let transport: any SpanTransport
    private let resource: Opentelemetry_Proto_Resource_V1_Resource
    private let time: any TimeSource
    private let logger: Logger

    package init(
        _ tracer: Tracer, over transport: any SpanTransport, service: String, version: String, time: any TimeSource,
        logger: Logger
    ) {
        self.tracer = tracer
        self.transport = transport
        self.time = time
        var logger = logger
        logger[metadataKey: LogKey.subsystem] = "telemetry"
        self.logger = logger
        var resource = Opentelemetry_Proto_Resource_V1_Resource()
        resource.attributes = [
            Self.attribute("service.name", .string(service)), Self.attribute("service.version", .string(version)),
            Self.attribute("host.name", .string(ProcessFigures.hostName())),
        ]
        self.resource = resource
    }

    /// Sends until cancelled.
    package func run() async {
        var complainedAt: Duration?
        while !Task.isCancelled {
            do { try await time.sleep(for: Self.interval) } catch { return }
            while let outcome = await send(within: Self.timeout) {
                guard case .failed(let reason) = outcome else { continue }
                if complainedAt.map({ time.uptime - $0 >= Self.complaintInterval }) ?? true {
                    complainedAt = time.uptime
                    logger.warning("Traces cannot be sent; they are dropped", metadata: [LogKey.error: "\(reason)"])
                }
                break
            }
        }
    }

    /// Sends what is left, and closes the connection. To be called after `run`, by a task that is not cancelled.
    package func finish() async {
        _ = await send(within: Self.lastTimeout)
        await transport.close()
    }

    private enum Outcome { case sent, failed(String) }

    /// - Returns: `nil` when there was nothing to send.
    private func send(within timeout: Duration) async -> Outcome? {
        let (spans, dropped) = tracer.take(atMost: Self.batch)
        if dropped > 0 {
            logger.debug("Spans were dropped", metadata: [LogKey.count: "\(dropped)"])
        }
        guard !spans.isEmpty else { return nil }
        var scope = Opentelemetry_Proto_Trace_V1_ScopeSpans()
        scope.scope.name = "swift-spire"
        scope.spans = spans.map(Self.message)
        var group = Opentelemetry_Proto_Trace_V1_ResourceSpans()
        group.resource = resource
        group.scopeSpans = [scope]
        var request = Opentelemetry_Proto_Collector_Trace_V1_ExportTraceServiceRequest()
        request.resourceSpans = [group]
        do {
            let answer = try await transport.export(request, within: timeout)
            let rejected = answer.partialSuccess.rejectedSpans
            guard rejected > 0 else { return .sent }
            return .failed("the collector rejected \(rejected) spans: \(answer.partialSuccess.errorMessage)")
        } catch {
            return .failed(DialError.reason(error))
        }
    }

    private static func message(_ span: FinishedSpan) -> Opentelemetry_Proto_Trace_V1_Span {
        var message = Opentelemetry_Proto_Trace_V1_Span()
        message.traceID = Data(span.context.traceBytes)
        message.spanID = Data(span.context.spanBytes)
        if span.parentID != 0 { message.parentSpanID = Data(SpanContext.bytes(span.parentID)) }
        message.flags = 1
        message.name = span.name
        message.kind =
            switch span.kind {
            case .internal: .internal
            case .server: .server
            case .client: .client
            }
        message.startTimeUnixNano = span.start
        message.endTimeUnixNano = span.end
        message.attributes = span.attributes.map(attribute)
        if let failure = span.failure {
            message.status.code = .error
            message.status.message = failure
        }
        return message
    }

    private static func attribute(_ key: String, _ value: SpanValue) -> Opentelemetry_Proto_Common_V1_KeyValue {
        var pair = Opentelemetry_Proto_Common_V1_KeyValue()
        pair.key = key
        switch value {
        case .string(let text): pair.value.stringValue = text
        case .integer(let number): pair.value.intValue = number
        }
        return pair
    }
}
