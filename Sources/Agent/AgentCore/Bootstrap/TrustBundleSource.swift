// SPDX-License-Identifier: Apache-2.0

package import FoundationEssentials
package import Groundwork
package import NIOCore
package import SPIFFE
import X509

/// Where the first trust bundle comes from.
package enum TrustBundleSource: Sendable, Hashable {
    /// How a bundle file is written.
    package enum Format: String, Sendable, Hashable {
        /// CERTIFICATE blocks.
        case pem
        /// A SPIFFE bundle document, whose X.509 authorities are taken.
        case spiffe
    }

    /// None: the first server that answers is believed.
    case insecure
    /// Read anew at every attempt.
    case file(path: String, format: Format)
    /// `https`, or `http` over `unixSocket` when that is given.
    case url(String, format: Format, unixSocket: String?, proxies: ProxySettings = .none)

    /// What a source on a Unix socket is told about the attempt.
    package struct Attempt: Sendable {
        package var use: AgentData.BootstrapUse
        package var start: Date
        package var count: Int
        package var serverAddress: String
        package var serverPort: Int
        package var trustDomain: TrustDomain
    }

    /// Most bytes of a bundle file.
    private static let maximumSize = 8 << 20

    /// Fetches the bundle.
    /// - Returns: DER certificates, at least one; `nil` for the insecure source.
    /// - Throws: `agent.bootstrap_bundle`, naming the file or URL.
    package func load(
        _ attempt: Attempt, group: any EventLoopGroup, lane: BlockingLane
    ) async throws -> [[UInt8]]? {
        switch self {
        case .insecure:
            return nil
        case .file(let path, let format):
            let text: [UInt8]?
            do {
                text = try await lane.run { try AtomicFile.read(path, limit: Self.maximumSize) }
            } catch let error as SpireError {
                throw SpireError(.bootstrapBundle, "error parsing trust bundle: \(error.message)")
            }
            guard let text else {
                throw SpireError(
                    .bootstrapBundle, "could not parse trust bundle: open \(path): no such file or directory")
            }
            return try Self.parse(text, format, attempt.trustDomain)
        case .url(let url, let format, let unixSocket, let proxies):
            let target = unixSocket == nil ? url : Self.describing(attempt, in: url)
            let answer = try await HTTPGet.fetch(target, unixSocket: unixSocket, proxies: proxies, group: group)
            guard answer.status == 200 else {
                throw SpireError(
                    .bootstrapBundle, "error downloading trust bundle: \(answer.status) \(answer.reason)")
            }
            return try Self.parse(answer.body, format, attempt.trustDomain)
        }
    }

    /// Reads a bundle in one of the two formats.
    /// - Returns: DER certificates, at least one.
    package static func parse(_ text: [UInt8], _ format: Format, _ trustDomain: TrustDomain) throws -> [[UInt8]] {
        let found: [[UInt8]]
        switch format {
        case .pem:
            do {
                found = try Certificate.sequence(pem: String(decoding: text, as: UTF8.self)).map(\.der)
            } catch {
                throw SpireError(.bootstrapBundle, "error parsing trust bundle: \(error.message)")
            }
        case .spiffe:
            do {
                found = try SPIFFEBundle(trustDomain, document: text).x509Authorities.map(\.der)
            } catch {
                throw SpireError(.bootstrapBundle, "unable to parse SPIFFE trust bundle: \(error)")
            }
        }
        guard !found.isEmpty else { throw SpireError(.bootstrapBundle, "no certificates found in trust bundle") }
        return found
    }

    /// The URL with what the attempt is about as query parameters; parameters of the same names are replaced.
    static func describing(_ attempt: Attempt, in url: String) -> String {
        let ours: [(String, String)] = [
            ("spiffe-trust-domain", attempt.trustDomain.name),
            ("spire-attest-mode", attempt.use == .rebootstrap ? "rebootstrap" : "bootstrap"),
            ("spire-attest-start-time", Timestamp.text(attempt.start)),
            ("spire-connection-attempts", "\(attempt.count)"),
            ("spire-server-address", attempt.serverAddress),
            ("spire-server-port", "\(attempt.serverPort)"),
        ]
        let parts = url.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        var pairs = parts.count > 1 ? parts[1].split(separator: "&").map(String.init) : []
        pairs.removeAll { pair in ours.contains { pair == $0.0 || pair.hasPrefix($0.0 + "=") } }
        pairs += ours.map { "\($0.0)=\(escaped($0.1))" }
        return parts[0] + "?" + pairs.joined(separator: "&")
    }

    private static func escaped(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF")
        var out = ""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                out.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                out += "%\(digits[Int(byte >> 4)])\(digits[Int(byte & 15)])"
            }
        }
        return out
    }
}
