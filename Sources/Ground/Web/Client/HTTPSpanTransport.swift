// SPDX-License-Identifier: Apache-2.0

import Groundwork
package import NIOCore
import RPC
import SPIFFETLS
import SwiftProtobuf
package import Telemetry
import TelemetryProtos
package import Wire

/// OTLP over HTTP with protobuf bodies.
/// > Spec: OTLP 1.x, OTLP/HTTP Request and Response.
struct HTTPSpanTransport: SpanTransport {
    /// Most bytes of an answer, which only counts what was not taken.
    private static let maximumAnswer = 64 << 10

    let fetch: HTTPFetch
    let address: WebAddress
    let headers: [TelemetryConfig.Header]

    init(fetch: HTTPFetch, address: WebAddress, headers: [TelemetryConfig.Header]) {
        var fetch = fetch
        fetch.maximumBody = Self.maximumAnswer
        self.fetch = fetch
        self.address = address
        self.headers = headers
    }

    func export(
        _ request: Opentelemetry_Proto_Collector_Trace_V1_ExportTraceServiceRequest, within timeout: Duration
    ) async throws -> Opentelemetry_Proto_Collector_Trace_V1_ExportTraceServiceResponse {
        var fetch = fetch
        fetch.timeout = TimeAmount(timeout)
        let answer = try await fetch.post(
            address, try request.serializedBytes(), type: "application/x-protobuf",
            headers: headers.map { ($0.name, $0.value) })
        guard answer.status == 200 else {
            throw SpireError(.webExchange, "\(address): \(answer.status) \(answer.reason)")
        }
        do {
            return try .init(serializedBytes: answer.body)
        } catch {
            throw SpireError(.webExchange, "\(address): the answer is not one of OTLP")
        }
    }

    func close() async {}
}

extension TelemetryConfig.Traces {
    /// The way to the collector.
    /// - Throws: `invalid_argument` for a `ca_file` that cannot be used.
    package func transport(userAgent: String, group: any EventLoopGroup) throws -> any SpanTransport {
        let roots = caFile.isEmpty ? nil : try WebTLS.authorities(file: caFile)
        switch carrier {
        case .grpc:
            var metadata = Metadata()
            for header in headers { metadata.add(header.name, header.value) }
            let client =
                usesTLS
                ? Channels.web(host: endpoint.host, port: endpoint.port, roots: roots, group: group)
                : Channels.tcp(host: endpoint.host, port: endpoint.port, group: group)
            return RPCSpanTransport(client, metadata: metadata)
        case .http:
            let host = endpoint.host.contains(":") ? "[\(endpoint.host)]" : endpoint.host
            let address = try WebAddress("\(usesTLS ? "https" : "http")://\(host):\(endpoint.port)\(path)")
            var options = TLSOptions()
            options.applicationProtocols = ["http/1.1"]
            let tls = ClientTLS.serverOnlyWeb(hostName: endpoint.host, roots: roots, options: options)
            let fetch = HTTPFetch(userAgent: userAgent, group: group) { place, pipeline in
                if place.scheme == "https" { try tls.addHandlers(to: pipeline) }
            }
            return HTTPSpanTransport(fetch: fetch, address: address, headers: headers)
        }
    }
}
