// SPDX-License-Identifier: Apache-2.0

package import APIProtos
import Groundwork
package import SPIFFE
import SwiftProtobuf

/// A field of a request that breaks a rule; the text is the rule's, ready to follow the method's own.
package struct Malformed: Error, Sendable, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
}

/// Checks and converts SPIFFE IDs of one trust domain.
package struct IDRules: Sendable {
    package let trustDomain: TrustDomain
    /// `spiffe://<trust domain>`, the beginning of most IDs that are converted.
    private let prefix: String

    package init(_ trustDomain: TrustDomain) {
        self.trustDomain = trustDomain
        prefix = "spiffe://\(trustDomain.name)"
    }

    /// Any well-formed ID.
    package func any(_ id: Spire_Api_Types_SPIFFEID?) throws -> SPIFFEID {
        guard let id else { throw Malformed("request must specify SPIFFE ID") }
        do {
            let domain = id.trustDomain == trustDomain.name ? trustDomain : try TrustDomain(id.trustDomain)
            return try SPIFFEID(domain, path: id.path)
        } catch {
            throw Malformed(error.message)
        }
    }

    /// An ID in the trust domain, with a path.
    package func member(_ id: Spire_Api_Types_SPIFFEID?) throws -> SPIFFEID { try member(any(id)) }

    package func member(_ id: SPIFFEID) throws -> SPIFFEID {
        guard id.trustDomain == trustDomain else { throw Malformed(notMember(id)) }
        guard !id.path.isEmpty else { throw Malformed(notMember(id) + "; path is empty") }
        return id
    }

    /// An ID an entry or a minted certificate may carry: a member outside the namespace kept for SPIRE itself.
    package func workload(_ id: Spire_Api_Types_SPIFFEID?) throws -> SPIFFEID { try workload(any(id)) }

    package func workload(_ id: SPIFFEID) throws -> SPIFFEID {
        let id = try member(id)
        guard id.path != "/spire", !id.path.hasPrefix("/spire/") else {
            throw Malformed(
                "\"\(id)\" is not a workload in trust domain \"\(trustDomain)\"; path is in the reserved namespace")
        }
        return id
    }

    /// An agent's ID.
    package func agent(_ id: Spire_Api_Types_SPIFFEID?) throws -> SPIFFEID {
        let id = try member(id)
        guard id.path.hasPrefix("/spire/agent/") else {
            throw Malformed(
                "\"\(id)\" is not an agent in trust domain \"\(trustDomain)\"; path is not in the agent namespace")
        }
        return id
    }

    private func notMember(_ id: SPIFFEID) -> String {
        "\"\(id)\" is not a member of trust domain \"\(trustDomain)\""
    }

    /// A stored ID cut in two.
    struct Parts {
        let trustDomain: String
        /// Bytes before the path, with which the ID ends.
        let pathStart: Int
    }

    /// - Returns: `nil` when the stored text is not a SPIFFE ID.
    func parts(_ text: UnsafeBufferPointer<UInt8>) -> Parts? {
        // Most stored IDs are of the own trust domain and were checked when stored: cut, do not parse again.
        if unsafe isOwn(text) { return Parts(trustDomain: trustDomain.name, pathStart: prefix.utf8.count) }
        guard let id = try? SPIFFEID(unsafe String(decoding: text, as: UTF8.self)) else { return nil }
        return Parts(trustDomain: id.trustDomain.name, pathStart: text.count - id.path.utf8.count)
    }

    /// Whether the text begins with the own trust domain and has a path.
    private func isOwn(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
        var prefix = prefix
        return prefix.withUTF8 { prefix in
            unsafe text.count > prefix.count && text[prefix.count] == UInt8(ascii: "/") && text.begins(with: prefix)
        }
    }

    /// A stored ID as a message; `nil` when the stored text is not a SPIFFE ID.
    package func proto(_ text: String) -> Spire_Api_Types_SPIFFEID? {
        var text = text
        guard let parts = text.withUTF8({ unsafe parts($0) }) else { return nil }
        var proto = Spire_Api_Types_SPIFFEID()
        proto.trustDomain = parts.trustDomain
        proto.path = String(Substring(text.utf8.dropFirst(parts.pathStart)))
        return proto
    }

    package func proto(_ id: SPIFFEID) -> Spire_Api_Types_SPIFFEID {
        .with {
            $0.trustDomain = id.trustDomain.name
            $0.path = id.path
        }
    }
}
