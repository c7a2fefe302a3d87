// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOHPACK

/// What a request's first headers say, once they have been found sound.
struct RequestHead {
    var path = ""
    var authority = ""
    var timeout: TimeAmount?
    var metadata = Metadata()

    /// Why a request is refused before its method is looked at.
    struct Refusal: Error, Equatable {
        /// The HTTP status to answer with.
        var http = "200"
        var status: RPCStatus
        /// Whether the answer lists the encodings we accept.
        var namesEncodings = false
    }

    /// Reads the headers of a new stream. HTTP/2's own rules for them were checked before.
    /// - Throws: the answer to give, with grpc-go's HTTP statuses and words.
    init(_ headers: HPACKHeaders) throws(Refusal) {
        var method = ""
        var contentType: String?
        var encoding = ""
        var badTimeout: String?
        for (name, value, _) in headers {
            switch name {
            case ":method": method = value
            case ":path": path = value
            case ":authority": authority = value
            case ":scheme", "te", "grpc-accept-encoding", "content-length": break
            case "content-type": contentType = value
            case "host": if authority.isEmpty { authority = value }
            case "grpc-encoding": encoding = value
            case "grpc-timeout":
                timeout = Timeout.parse(value)
                if timeout == nil { badTimeout = value }
            default: metadata.addLowercase(name, value)
            }
        }
        guard method == "POST" else {
            throw Refusal(
                http: "405",
                status: RPCStatus(
                    .internal, "Received a HEADERS frame with :method \(quoted(method)) which should be POST"))
        }
        guard isGRPC(contentType) else {
            throw Refusal(
                http: "415",
                status: RPCStatus(.internal, "invalid gRPC request content-type \(quoted(contentType ?? ""))"))
        }
        if let badTimeout {
            throw Refusal(
                http: "400", status: RPCStatus(.internal, "malformed grpc-timeout: \(quoted(badTimeout))"))
        }
        guard encoding.isEmpty || encoding == "identity" else {
            throw Refusal(
                status: RPCStatus(
                    .unimplemented, "grpc: Decompressor is not installed for grpc-encoding \(quoted(encoding))"),
                namesEncodings: true)
        }
    }
}

/// Whether a content type is gRPC's, with any message format and parameters.
func isGRPC(_ contentType: String?) -> Bool {
    guard let contentType else { return false }
    let bytes = contentType.utf8
    let base = "application/grpc".utf8
    guard bytes.count >= base.count else { return false }
    let matches = zip(bytes, base).allSatisfy { ($0 | 0x20) == $1 || $0 == $1 }
    guard matches else { return false }
    let rest = bytes.dropFirst(base.count).first
    return rest == nil || rest == UInt8(ascii: "+") || rest == UInt8(ascii: ";")
}

/// `text` between double quotes, with what would break a line or the quotes escaped.
func quoted(_ text: String) -> String {
    var out = "\""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\"": out += "\\\""
        case "\\": out += "\\\\"
        case "\n": out += "\\n"
        case "\r": out += "\\r"
        case "\t": out += "\\t"
        default: out.unicodeScalars.append(scalar)
        }
    }
    return out + "\""
}
