// SPDX-License-Identifier: Apache-2.0

package import FoundationEssentials
import Groundwork
import SPIFFE

/// What an agent keeps over a restart: the content of `agent-data.json`. Its private key is the key manager's.
package struct AgentData: Sendable, Hashable {
    /// What the last contact with a bundle source was for.
    package enum BootstrapUse: Int, Sendable, Hashable {
        case unspecified = 0
        case bootstrap = 1
        case rebootstrap = 2
    }

    /// DER certificates of the agent's SVID, leaf first; empty when it has none.
    package var svid: [[UInt8]] = []
    /// DER certificates of its trust domain's X.509 authorities.
    package var bundle: [[UInt8]] = []
    package var isReattestable = false
    package var bootstrapUse: BootstrapUse = .unspecified
    /// When the current series of attempts began; `nil` between series.
    package var bootstrapStart: Date?
    package var connectionAttempts = 0

    package init() {}

    /// The document in SPIRE's layout: compact JSON whose certificates are base64 of PEM blocks.
    package func encoded() -> [UInt8] {
        let start = bootstrapStart.map(Timestamp.text) ?? Timestamp.zero
        var text = "{\"svid\":" + Self.list(svid) + ",\"bundle\":" + Self.list(bundle)
        text += ",\"reattestable\":\(isReattestable),\"bootstrap_use\":\(bootstrapUse.rawValue)"
        text += ",\"bootstrap_start_time\":\"\(start)\",\"connection_attempts\":\(connectionAttempts)}"
        return Array(text.utf8)
    }

    private static func list(_ certificates: [[UInt8]]) -> String {
        if certificates.isEmpty { return "null" }
        let items = certificates.map { "\"" + Data(PEMBlock("CERTIFICATE", $0).text.utf8).base64EncodedString() + "\"" }
        return "[" + items.joined(separator: ",") + "]"
    }

    private struct Document: Decodable {
        var svid: [Data]?
        var bundle: [Data]?
        var reattestable: Bool?
        var bootstrap_use: Int?
        var bootstrap_start_time: String?
        var connection_attempts: Int?
    }

    /// Reads the document.
    /// - Throws: `agent.storage_malformed` with what is wrong.
    package init(decoding bytes: [UInt8]) throws {
        let document: Document
        do {
            document = try JSONDecoder().decode(Document.self, from: Data(bytes))
        } catch {
            throw SpireError(.storageMalformed, "failed to decode data: it is not the JSON document SPIRE writes")
        }
        svid = try Self.certificates(document.svid ?? [], "svid")
        bundle = try Self.certificates(document.bundle ?? [], "bundle")
        isReattestable = document.reattestable ?? false
        bootstrapUse = BootstrapUse(rawValue: document.bootstrap_use ?? 0) ?? .unspecified
        bootstrapStart = document.bootstrap_start_time.flatMap(Timestamp.date)
        connectionAttempts = max(0, document.connection_attempts ?? 0)
    }

    private static func certificates(_ items: [Data], _ field: String) throws -> [[UInt8]] {
        try items.flatMap { item in
            let blocks: [PEMBlock]
            do {
                blocks = try PEMBlock.all(String(decoding: item, as: UTF8.self)).filter { $0.label == "CERTIFICATE" }
            } catch {
                throw SpireError(.storageMalformed, "failed to parse \(field): a value is not a PEM certificate: \(error)")
            }
            guard !blocks.isEmpty else {
                throw SpireError(.storageMalformed, "failed to parse \(field): a value is not a PEM certificate")
            }
            return blocks.map(\.der)
        }
    }
}
