// SPDX-License-Identifier: Apache-2.0

package import RPC
package import TelemetryProtos

/// Carries finished spans to a collector.
package protocol SpanTransport: Sendable {
    /// - Throws: why the collector does not have them.
    func export(
        _ request: Opentelemetry_Proto_Collector_Trace_V1_ExportTraceServiceRequest, within timeout: Duration
    ) async throws -> Opentelemetry_Proto_Collector_Trace_V1_ExportTraceServiceResponse
    func close() async
}

/// OTLP over gRPC.
/// > Spec: OTLP 1.x, `opentelemetry.proto.collector.trace.v1.TraceService/Export`.
package struct RPCSpanTransport: SpanTransport {
    private let client: RPCClient
    private let metadata: Metadata

    /// - Parameter metadata: Sent with each call, such as a collector's token.
    package init(_ client: RPCClient, metadata: Metadata = Metadata()) {
        self.client = client
        self.metadata = metadata
    }

    package func export(
        _ request: Opentelemetry_Proto_Collector_Trace_V1_ExportTraceServiceRequest, within timeout: Duration
    ) async throws -> Opentelemetry_Proto_Collector_Trace_V1_ExportTraceServiceResponse {
        try await client.unary(
            TraceServiceMethods.export, request, options: CallOptions(timeout: timeout, metadata: metadata))
    }

    package func close() async { await client.close() }
}
