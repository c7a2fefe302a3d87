// SPDX-License-Identifier: Apache-2.0

import APIProtos
import CLISupport
import SPIFFE

/// The flags that describe a relationship, or name a file of several.
struct RelationshipFlags {
    private let data: Flag<String>
    private let trustDomain: Flag<String>
    private let url: Flag<String>
    private let profile: Flag<String>
    private let endpointID: Flag<String>
    private let bundlePath: Flag<String>
    private let bundleFormat: Flag<String>

    init(_ flags: FlagSet) {
        data = flags.string(
            "data", "", "Path to a JSON file of federation relationships (optional). If set to '-', read from stdin.")
        trustDomain = flags.string("trustDomain", "", "Name of the trust domain to federate with (e.g., example.org)")
        url = flags.string(
            "bundleEndpointURL", "", "URL of the SPIFFE bundle endpoint that serves the trust bundle (must be https)")
        profile = flags.string(
            "bundleEndpointProfile", "", "Endpoint profile type (either \"https_web\" or \"https_spiffe\")")
        endpointID = flags.string(
            "endpointSpiffeID", "", "SPIFFE ID of the bundle endpoint's server. Used by the https_spiffe profile only.")
        bundlePath = flags.string("trustDomainBundlePath", "", "Path to the trust domain's bundle (optional)")
        bundleFormat = flags.string(
            "trustDomainBundleFormat", "pem", "The format of the bundle (optional). Either \"pem\" or \"spiffe\".")
    }

    /// - Throws: `CommandFailure`.
    func relationships() throws -> [RelationshipMessage] {
        guard !data.value.isEmpty else { return [try one()] }
        let others = [trustDomain, url, profile, endpointID, bundlePath]
        guard others.allSatisfy(\.value.isEmpty), ["", "pem"].contains(bundleFormat.value) else {
            throw CommandFailure("cannot use other flags to specify relationship fields when 'data' flag is set")
        }
        return try RelationshipFile.relationships(data.value)
    }

    private func one() throws -> RelationshipMessage {
        var relationship = try RelationshipRules.relationship(
            trustDomain: trustDomain.value, url: url.value, profile: profile.value, endpointID: endpointID.value)
        guard !bundlePath.value.isEmpty else { return relationship }
        let bytes: [UInt8]
        do {
            bytes = try InputFile.read(bundlePath.value)
        } catch {
            throw CommandFailure("cannot read bundle file: \(error)")
        }
        relationship.trustDomainBundle = try RelationshipRules.bundle(
            bytes, format: bundleFormat.value.isEmpty ? "pem" : bundleFormat.value, of: relationship,
            context: "cannot parse bundle file")
        return relationship
    }
}

/// What flags and files have to satisfy alike.
enum RelationshipRules {
    static func relationship(
        trustDomain: String, url: String, profile: String, endpointID: String
    ) throws -> RelationshipMessage {
        guard !trustDomain.isEmpty else { throw CommandFailure("trust domain is required") }
        guard !url.isEmpty else { throw CommandFailure("bundle endpoint URL is required") }
        var relationship = RelationshipMessage()
        relationship.trustDomain = trustDomain
        relationship.bundleEndpointURL = url
        switch profile {
        case "https_web": relationship.httpsWeb = .init()
        case "https_spiffe":
            guard !endpointID.isEmpty else {
                throw CommandFailure("endpoint SPIFFE ID is required if 'https_spiffe' endpoint profile is set")
            }
            do {
                relationship.httpsSpiffe.endpointSpiffeID = try SPIRE.id(endpointID).description
            } catch {
                throw CommandFailure("cannot parse bundle endpoint SPIFFE ID: \(error)")
            }
        default: throw CommandFailure("unknown bundle endpoint profile type: \(GoText.quoted(profile))")
        }
        return relationship
    }

    /// Reads the bundle that goes with a relationship. It is the endpoint's trust domain's, where that is authenticated
    /// by SPIFFE ID.
    static func bundle(
        _ bytes: [UInt8], format: String, of relationship: RelationshipMessage, context: String
    ) throws -> Spire_Api_Types_Bundle {
        let kind: BundleFormat
        switch format.lowercased() {
        case "pem": kind = .pem
        case "spiffe": kind = .spiffe
        default: throw CommandFailure("bundle format \(GoText.quoted(format)) is unsupported")
        }
        do {
            let trustDomain: TrustDomain
            if case .httpsSpiffe(let profile) = relationship.bundleEndpointProfile {
                trustDomain = try SPIFFEID(profile.endpointSpiffeID).trustDomain
            } else {
                trustDomain = try TrustDomain(relationship.trustDomain)
            }
            return try kind.read(bytes, trustDomain, malformedPEM: context, malformedDocument: context)
        } catch let failure as CommandFailure {
            throw failure
        } catch {
            throw CommandFailure("\(context): \(error)")
        }
    }
}
