// SPDX-License-Identifier: Apache-2.0

import NIOHPACK
import NIOHTTP2

/// What a server's header blocks say, as a client reads them.
enum ResponseHead {
    /// What is wrong with the first headers of a response; `nil` when messages may follow.
    static func problem(_ headers: HPACKHeaders) -> RPCStatus? {
        let http = headers.first(name: ":status") ?? ""
        let contentType = headers.first(name: "content-type")
        guard http == "200" else {
            return RPCStatus(code(http: http), "unexpected HTTP status code received from server: \(http)")
        }
        guard isGRPC(contentType) else {
            let found = contentType.map { "received unexpected content-type \(quoted($0))" } ?? "missing content-type field"
            return RPCStatus(.unknown, "transport: \(found)")
        }
        let encoding = headers.first(name: "grpc-encoding") ?? "identity"
        guard encoding == "identity" else {
            return RPCStatus(
                .internal, "grpc: Decompressor is not installed for grpc-encoding \(quoted(encoding))")
        }
        return nil
    }

    /// The status in trailers; `nil` inside for OK.
    static func outcome(_ headers: HPACKHeaders) -> RPCStatus? {
        guard let text = headers.first(name: "grpc-status") else {
            return RPCStatus(.internal, "server closed the stream without sending trailers")
        }
        guard let number = Int(text), let code = StatusCode(rawValue: number) else {
            return RPCStatus(.unknown, "transport: malformed grpc-status: \(quoted(text))")
        }
        if code == .ok { return nil }
        var status = RPCStatus(code, StatusEncoding.percentDecode(headers.first(name: "grpc-message") ?? ""))
        if let details = headers.first(name: "grpc-status-details-bin"),
            let bytes = StatusEncoding.fromBase64(details), let rich = StatusDetails.decode(bytes)
        {
            status.details = rich.details
        }
        return status
    }

    /// The status a reset stands for.
    /// > Spec: gRPC over HTTP/2, "HTTP2 Transport Mapping: Errors".
    static func outcome(reset code: HTTP2ErrorCode) -> RPCStatus {
        let status: StatusCode =
            switch code {
            case .refusedStream: .unavailable
            case .cancel: .cancelled
            case .enhanceYourCalm: .resourceExhausted
            case .inadequateSecurity: .permissionDenied
            default: .internal
            }
        return RPCStatus(status, "stream terminated by RST_STREAM with error code: \(name(code))")
    }

    static func name(_ code: HTTP2ErrorCode) -> String {
        switch code {
        case .noError: "NO_ERROR"
        case .protocolError: "PROTOCOL_ERROR"
        case .internalError: "INTERNAL_ERROR"
        case .flowControlError: "FLOW_CONTROL_ERROR"
        case .settingsTimeout: "SETTINGS_TIMEOUT"
        case .streamClosed: "STREAM_CLOSED"
        case .frameSizeError: "FRAME_SIZE_ERROR"
        case .refusedStream: "REFUSED_STREAM"
        case .cancel: "CANCEL"
        case .compressionError: "COMPRESSION_ERROR"
        case .connectError: "CONNECT_ERROR"
        case .enhanceYourCalm: "ENHANCE_YOUR_CALM"
        case .inadequateSecurity: "INADEQUATE_SECURITY"
        case .http11Required: "HTTP_1_1_REQUIRED"
        default: "\(code.networkCode)"
        }
    }

    /// > Spec: gRPC "HTTP to gRPC Status Code Mapping".
    private static func code(http: String) -> StatusCode {
        switch http {
        case "400": .internal
        case "401": .unauthenticated
        case "403": .permissionDenied
        case "404": .unimplemented
        case "429", "502", "503", "504": .unavailable
        default: .unknown
        }
    }
}
