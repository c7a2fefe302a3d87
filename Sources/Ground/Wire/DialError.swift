// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOPosix
import NIOSSL
import RPC

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Failures to reach an address, in Go's words, which scripts and people look for in SPIRE's output.
package enum DialError {
    /// `dial <network> <address>: <reason>`
    static func failure(_ network: String, _ address: String, _ error: any Error) -> ConnectFailure {
        ConnectFailure(.dialing, "dial \(network) \(address): \(reason(error))")
    }

    /// `connect: connection refused` and the like, also for what ends a TLS handshake or an exchange: the libraries' own
    /// errors name types and source files. Other errors are taken at their word.
    package static func reason(_ error: any Error) -> String {
        switch error {
        case let error as IOError:
            return "connect: " + String(cString: strerror(error.errnoCode)).lowercased()
        case let error as NIOConnectionError:
            if let first = error.connectionErrors.first { return reason(first.error) }
            return "lookup \(error.host): no such host"
        case ChannelError.connectTimeout:
            return "i/o timeout"
        case ChannelError.eof:
            return "EOF"
        case is ChannelError:
            return "the connection was closed"
        case NIOSSLError.uncleanShutdown:
            return "unexpected EOF"
        case NIOSSLError.handshakeFailed(let error), NIOSSLError.shutdownFailed(let error):
            return handshake(error)
        case let error as BoringSSLError:
            return handshake(error)
        case NIOSSLError.unableToValidateCertificate, NIOSSLError.noCertificateToValidate:
            return "tls: failed to verify certificate"
        case let error as NIOSSLExtraError where error == .failedToValidateHostname:
            return "tls: failed to verify certificate: it is for another name"
        case is NIOSSLError, is NIOSSLExtraError:
            return "tls: the connection cannot be secured"
        default:
            return "\(error)"
        }
    }

    /// The TLS library names the reason by a word of capitals: `… OPENSSL_internal:WRONG_VERSION_NUMBER at …`.
    private static func handshake(_ error: BoringSSLError) -> String {
        switch error {
        case .sslError(let stack), .unknownError(let stack), .invalidSNIName(let stack), .failedToSetALPN(let stack):
            if stack.contains(.eofDuringHandshake) { return "EOF" }
            guard let text = stack.first.map({ "\($0)" }), let mark = text.firstRange(of: "OPENSSL_internal:") else {
                return "tls: handshake failure"
            }
            let word = text[mark.upperBound...].prefix { $0 != " " }
            switch word {
            case "CERTIFICATE_VERIFY_FAILED":
                return "tls: failed to verify certificate: it is expired, for another name or of an unknown authority"
            case "WRONG_VERSION_NUMBER", "HTTP_REQUEST":
                return "tls: first record does not look like a TLS handshake"
            default:
                return "tls: " + word.lowercased().split(separator: "_").joined(separator: " ")
            }
        case .zeroReturn: return "EOF"
        default: return "tls: handshake failure"
        }
    }
}
