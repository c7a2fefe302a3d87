// SPDX-License-Identifier: Apache-2.0

import APIProtos
import CLISupport

typealias RelationshipMessage = Spire_Api_Types_FederationRelationship

extension JSONNode {
    init(_ relationship: RelationshipMessage) {
        var members: [String: JSONNode] = [
            "trust_domain": .string(relationship.trustDomain),
            "bundle_endpoint_url": .string(relationship.bundleEndpointURL),
            "trust_domain_bundle": relationship.hasTrustDomainBundle
                ? JSONNode(relationship.trustDomainBundle) : .null,
        ]
        switch relationship.bundleEndpointProfile {
        case .httpsWeb: members["https_web"] = .object([:])
        case .httpsSpiffe(let profile):
            members["https_spiffe"] = .object(["endpoint_spiffe_id": .string(profile.endpointSpiffeID)])
        case nil: break
        }
        self = .object(members)
    }
}

extension RelationshipMessage {
    /// The relationship as commands print it.
    var pretty: String {
        var text = ""
        func line(_ label: String, _ value: String) {
            text += label + String(repeating: " ", count: 26 - label.count) + ": " + value.harmless + "\n"
        }
        line("Trust domain", trustDomain)
        line("Bundle endpoint URL", bundleEndpointURL)
        switch bundleEndpointProfile {
        case .httpsWeb: line("Bundle endpoint profile", "https_web")
        case .httpsSpiffe(let profile):
            line("Bundle endpoint profile", "https_spiffe")
            line("Endpoint SPIFFE ID", profile.endpointSpiffeID)
        case nil: break
        }
        return text
    }
}
