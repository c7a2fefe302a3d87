// SPDX-License-Identifier: Apache-2.0

import HCL

extension TelemetryConfig.Traces {
    /// Reads the `OpenTelemetry` block.
    /// - Returns: `nil` after a problem was reported.
    static func decode(_ block: HCLBlock) -> TelemetryConfig.Traces? {
        let endpoint = block.string("endpoint")
        let ratio = block.string("sample_ratio")
        let carrier = block.string("protocol")
        let caFile = block.string("ca_file")
        let headers = block.strings("headers")
        block.finish(section: "OpenTelemetry")
        func refuse(_ key: String, _ rule: String, _ position: HCLPosition?) -> TelemetryConfig.Traces? {
            block.diagnostics.report(
                .invalid, key: block.fullName(key), "OpenTelemetry.\(key) \(rule)", at: position ?? block.position)
            return nil
        }

        var traces: TelemetryConfig.Traces
        switch carrier?.value ?? "grpc" {
        case "grpc": traces = .init(endpoint: .init(host: "", port: 4317))
        case "http", "http/protobuf":
            traces = .init(endpoint: .init(host: "", port: 4318))
            traces.carrier = .http
        default: return refuse("protocol", "must be grpc or http", carrier?.position)
        }
        guard traces.read(endpoint?.value ?? "") else {
            return refuse(
                "endpoint",
                """
                must be the host:port of a collector that takes OTLP, such as 127.0.0.1:4317, with https:// in front \
                where it speaks TLS
                """, endpoint?.position)
        }
        traces.caFile = caFile?.value ?? ""
        if !traces.caFile.isEmpty, !traces.usesTLS {
            return refuse("ca_file", "needs an endpoint that begins with https://", caFile?.position)
        }
        for text in headers?.value ?? [] {
            guard let header = TelemetryConfig.Header(text) else {
                // The value may be a secret: only the rule is told.
                return refuse(
                    "headers", "must be of the form name=value, and not one that the protocol sets itself",
                    headers?.position)
            }
            traces.headers.append(header)
        }
        let kept: Double? = if let ratio { Double(ratio.value) } else { 1 }
        guard let kept, (0...1).contains(kept) else {
            return refuse("sample_ratio", "must be a number from 0 to 1", ratio?.position)
        }
        traces.ratio = kept
        return traces
    }

    /// Takes an address apart: `host:port`, or a URL of which only OTLP over HTTP may have a path.
    private mutating func read(_ text: String) -> Bool {
        var address = text[...]
        if address.hasPrefix("http://") {
            address = address.dropFirst(7)
        } else if address.hasPrefix("https://") {
            usesTLS = true
            address = address.dropFirst(8)
        }
        let hasScheme = address.count < text.count
        if let slash = address.firstIndex(of: "/") {
            let path = String(address[slash...])
            address = address[..<slash]
            if path != "/" {
                guard carrier == .http, hasScheme else { return false }
                self.path = path
            }
        }
        var host = address
        let bracket = address.lastIndex(of: "]")
        if let colon = address.lastIndex(of: ":"), bracket.map({ $0 < colon }) ?? true {
            guard let port = UInt16(address[address.index(after: colon)...]), port > 0 else { return false }
            endpoint.port = Int(port)
            host = address[..<colon]
        } else if !hasScheme {
            return false
        }
        endpoint.host = HostText.withoutBrackets(String(host))
        return !host.isEmpty && (text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "@") })
    }
}

extension TelemetryConfig.Header {
    /// What the protocols set themselves.
    private static let reserved: Set<String> = [
        "host", "te", "connection", "content-type", "content-length", "content-encoding", "accept-encoding",
        "transfer-encoding", "user-agent", "upgrade",
    ]

    /// - Parameter text: `name=value`.
    init?(_ text: String) {
        guard let equals = text.firstIndex(of: "=") else { return nil }
        name = text[..<equals].lowercased()
        value = String(text[text.index(after: equals)...])
        let isName = name.utf8.allSatisfy {
            (0x61...0x7a).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2d || $0 == 0x5f || $0 == 0x2e
        }
        guard isName, !name.isEmpty, !value.isEmpty, !Self.reserved.contains(name), !name.hasPrefix("grpc-"),
            !name.hasSuffix("-bin"), value.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7f }),
            !value.hasPrefix(" "), !value.hasSuffix(" ")
        else { return nil }
    }
}
