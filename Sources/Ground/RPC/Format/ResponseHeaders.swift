// SPDX-License-Identifier: Apache-2.0

import NIOHPACK

/// The header blocks a server sends. The common ones are made once.
enum ResponseHeaders {
    static let initial: HPACKHeaders = [":status": "200", "content-type": "application/grpc"]
    static let ok: HPACKHeaders = ["grpc-status": "0"]

    /// Ends a response that has begun.
    static func trailers(_ status: RPCStatus) -> HPACKHeaders {
        var headers = HPACKHeaders()
        addStatus(status, to: &headers)
        return headers
    }

    /// Begins and ends a response at once.
    static func trailersOnly(_ status: RPCStatus, http: String = "200", namesEncodings: Bool = false) -> HPACKHeaders {
        var headers = HPACKHeaders()
        headers.reserveCapacity(6)
        headers.add(name: ":status", value: http)
        headers.add(name: "content-type", value: "application/grpc")
        if namesEncodings { headers.add(name: "grpc-accept-encoding", value: "identity") }
        addStatus(status, to: &headers)
        return headers
    }

    private static func addStatus(_ status: RPCStatus, to headers: inout HPACKHeaders) {
        headers.add(name: "grpc-status", value: String(status.code.rawValue))
        // Long texts would outgrow the caller's header limit, which grpc-go has at 8 KiB for a start.
        let text = StatusEncoding.percentEncode(status.message)
        if !text.isEmpty {
            headers.add(name: "grpc-message", value: cut(text), indexing: .nonIndexable)
        }
        guard !status.details.isEmpty else { return }
        let details = StatusEncoding.base64(StatusDetails.encode(status))
        if details.utf8.count <= 6 << 10 {
            headers.add(name: "grpc-status-details-bin", value: details, indexing: .nonIndexable)
        }
    }

    private static func cut(_ text: String) -> String {
        let limit = 4 << 10
        guard text.utf8.count > limit else { return text }
        return String(decoding: Array(text.utf8.prefix(limit)), as: UTF8.self)
    }
}
