// SPDX-License-Identifier: Apache-2.0

public import FoundationEssentials
public import SPIFFE

/// Where the Workload API listens.
/// > Spec: Workload Endpoint §4.
public enum WorkloadAPIEndpoint: Sendable, Hashable, CustomStringConvertible {
    /// A Unix socket with an absolute path.
    case unix(path: String)
    /// An IP address with port.
    case tcp(address: String, port: Int)

    /// The environment variable that names the endpoint.
    public static let environmentVariable = "SPIFFE_ENDPOINT_SOCKET"

    /// The endpoint the environment names.
    /// - Throws: `invalid_endpoint`, also when the variable is not set.
    public static func fromEnvironment(
        _ environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws(SPIFFEError) -> WorkloadAPIEndpoint {
        guard let text = environment[environmentVariable], !text.isEmpty else {
            throw SPIFFEError(
                .invalidEndpoint, "workload endpoint socket address is not configured: set \(environmentVariable)")
        }
        return try WorkloadAPIEndpoint(text)
    }

    /// Parses `unix:///path/to/socket` or `tcp://10.0.0.1:8000`.
    /// - Throws: `invalid_endpoint` with the rule that was broken.
    public init(_ text: String) throws(SPIFFEError) {
        guard let uri = URIParts(text) else {
            throw SPIFFEError(.invalidEndpoint, "workload endpoint socket is not a valid URI")
        }
        switch uri.scheme {
        case "unix": self = .unix(path: try Self.unixPath(uri))
        case "tcp": self = try Self.tcpAddress(uri)
        default:
            throw SPIFFEError(
                .invalidEndpoint, "workload endpoint socket URI must have a \"tcp\" or \"unix\" scheme")
        }
    }

    public var description: String {
        switch self {
        case .unix(let path): "unix://\(path)"
        case .tcp(let address, let port): address.contains(":") ? "tcp://[\(address)]:\(port)" : "tcp://\(address):\(port)"
        }
    }

    private static func unixPath(_ uri: URIParts) throws(SPIFFEError) -> String {
        try checkCommon(uri, "unix")
        guard (uri.authority ?? "").isEmpty else {
            throw SPIFFEError(.invalidEndpoint, "workload endpoint unix socket URI must not include a host")
        }
        guard let path = percentDecoded(uri.path), path.utf8.count > 1, !path.utf8.contains(0) else {
            throw SPIFFEError(.invalidEndpoint, "workload endpoint unix socket URI must include a path")
        }
        return path
    }

    private static func tcpAddress(_ uri: URIParts) throws(SPIFFEError) -> WorkloadAPIEndpoint {
        try checkCommon(uri, "tcp")
        guard let authority = uri.authority, !authority.isEmpty else {
            throw SPIFFEError(.invalidEndpoint, "workload endpoint tcp socket URI must include a host")
        }
        guard uri.path.isEmpty else {
            throw SPIFFEError(.invalidEndpoint, "workload endpoint tcp socket URI must not include a path")
        }
        guard let (address, portText) = IPAddressText.split(authority), IPAddressText.isAddress(address) else {
            throw SPIFFEError(
                .invalidEndpoint, "workload endpoint tcp socket URI host component must be an IP:port")
        }
        guard let port = portText.flatMap({ UInt16($0) }), port > 0 else {
            throw SPIFFEError(
                .invalidEndpoint, "workload endpoint tcp socket URI host component must include a port")
        }
        return .tcp(address: address, port: Int(port))
    }

    private static func checkCommon(_ uri: URIParts, _ kind: String) throws(SPIFFEError) {
        let rule: String
        if uri.isOpaque {
            rule = "must not be opaque"
        } else if uri.authority?.contains("@") ?? false {
            rule = "must not include user info"
        } else if uri.hasQuery {
            rule = "must not include query values"
        } else if uri.hasFragment {
            rule = "must not include a fragment"
        } else {
            return
        }
        throw SPIFFEError(.invalidEndpoint, "workload endpoint \(kind) socket URI \(rule)")
    }

    private static func percentDecoded(_ text: String) -> String? {
        guard text.utf8.contains(UInt8(ascii: "%")) else { return text }
        var out: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                out.append(byte)
                continue
            }
            guard rest.count >= 2,
                let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            else { return nil }
            out.append(value)
            rest = rest.dropFirst(2)
        }
        return String(validating: out, as: UTF8.self)
    }
}
