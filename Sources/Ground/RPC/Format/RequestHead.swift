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
        /// Not HTTP/2 at all: the stream is reset without an answer.
        var isMalformed = false
        /// The HTTP status to answer with.
        var http = "200"
        var status: RPCStatus
        /// Whether the answer lists the encodings we accept.
        var namesEncodings = false
    }

    static let malformed = Refusal(isMalformed: true, status: RPCStatus(.internal, "malformed headers"))

    /// Reads the headers of a new stream.
    /// - Throws: the answer to give, with grpc-go's HTTP statuses and words.
    /// > Spec: RFC 9113 §8.2, §8.3 for what is malformed.
    init(_ headers: HPACKHeaders) throws(Refusal) {
        var method = ""
        var contentType: String?
        var encoding = ""
        var badTimeout: String?
        var hasFields = false
        for (name, value, _) in headers {
            if name.utf8.first == UInt8(ascii: ":") {
                if hasFields { throw Self.malformed }
                switch name {
                case ":method" where method.isEmpty: method = value
                case ":path" where path.isEmpty: path = value
                case ":authority" where authority.isEmpty: authority = value
                case ":scheme": break
                default: throw Self.malformed
                }
                continue
            }
            hasFields = true
            switch name {
            case "te", "grpc-accept-encoding", "content-length": break
            case "content-type": contentType = value
            case "host": if authority.isEmpty { authority = value }
            case "grpc-encoding": encoding = value
            case "grpc-timeout":
                timeout = Timeout.parse(value)
                if timeout == nil { badTimeout = value }
            case "connection", "transfer-encoding", "upgrade", "keep-alive", "proxy-connection": throw Self.malformed
            default:
                guard isFieldName(name) else { throw Self.malformed }
                metadata.addLowercase(name, value)
            }
        }
        guard !method.isEmpty, !path.isEmpty else { throw Self.malformed }
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

/// Whether a field name is one HTTP/2 allows: lower case, no blanks or control characters.
private func isFieldName(_ name: String) -> Bool {
    !name.isEmpty
        && name.utf8.allSatisfy { byte in
            byte > 0x20 && byte < 0x7f && !(byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z"))
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
