// SPDX-License-Identifier: Apache-2.0

import APIProtos
import Datastore
import Groundwork
import Logging
import SPIFFE
import SwiftProtobuf

/// Federation relationships in both directions.
enum RelationshipMapping {
    /// Checks and converts what `mask` names (`nil`: everything); the trust domain always counts.
    /// - Throws: `Malformed`.
    static func model(
        _ proto: Spire_Api_Types_FederationRelationship, mask: Spire_Api_Types_FederationRelationshipMask?
    ) throws -> FederationRelationship {
        let trustDomain: TrustDomain
        do {
            trustDomain = try TrustDomain(proto.trustDomain)
        } catch {
            throw Malformed("failed to parse trust domain: \(error.message)")
        }
        var relationship = FederationRelationship(
            trustDomain: trustDomain.name, bundleEndpointURL: "", profile: .httpsWeb)
        if mask?.bundleEndpointURL ?? true {
            try checkEndpoint(proto.bundleEndpointURL)
            relationship.bundleEndpointURL = proto.bundleEndpointURL
        }
        if mask?.bundleEndpointProfile ?? true {
            switch proto.bundleEndpointProfile {
            case .httpsWeb: relationship.profile = .httpsWeb
            case .httpsSpiffe(let profile):
                do {
                    let id = try SPIFFEID(profile.endpointSpiffeID)
                    relationship.profile = .httpsSPIFFE(endpointID: id.description)
                } catch {
                    throw Malformed("failed to parse endpoint SPIFFE ID: \(error.message)")
                }
            case nil: throw Malformed("unsupported bundle endpoint profile type: <nil>")
            }
        }
        if mask?.trustDomainBundle ?? true, proto.hasTrustDomainBundle {
            relationship.bundle = try bundle(proto.trustDomainBundle, of: trustDomain)
        }
        return relationship
    }

    private static func bundle(_ proto: Spire_Api_Types_Bundle, of trustDomain: TrustDomain) throws -> TrustBundle {
        let bundle: TrustBundle
        do {
            bundle = try BundleMapping.model(proto)
        } catch {
            throw Malformed("failed to parse bundle: \(APIFailure.text(of: error))")
        }
        guard bundle.trustDomainID == trustDomain.id.description else {
            throw Malformed(
                "trust domain bundle (\"\(proto.trustDomain)\") must match the trust domain of the federation relationship (\"\(trustDomain)\")"
            )
        }
        return bundle
    }

    /// Longest endpoint URL taken; longer ones fit no HTTP request line.
    static let longestURL = 8192

    /// - Throws: `Malformed` unless the text is an `https` URL with a host and without user info.
    static func checkEndpoint(_ url: String) throws {
        func refuse(_ why: String) -> Malformed { Malformed("failed to parse bundle endpoint URL: parse \(quoted(url)): \(why)") }
        guard url.utf8.count <= longestURL else {
            throw Malformed("failed to parse bundle endpoint URL: longer than \(longestURL) bytes")
        }
        guard url.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7f }) else {
            throw refuse("net/url: invalid control character in URL")
        }
        guard let colon = url.firstIndex(of: ":"), url[..<colon].lowercased() == "https" else {
            throw Malformed("bundle endpoint URL must use the https scheme")
        }
        let rest = url[url.index(after: colon)...]
        guard rest.hasPrefix("//") else { throw Malformed("bundle endpoint URL must specify the host") }
        let authority = rest.dropFirst(2).prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        guard !authority.contains("@") else {
            throw Malformed("bundle endpoint URL must not contain user info")
        }
        guard !authority.isEmpty else { throw Malformed("bundle endpoint URL must specify the host") }
        guard authority.utf8.allSatisfy({ $0 < 0x80 && !"<>\"\\^`{|}".utf8.contains($0) }) else {
            throw refuse("invalid character in host name")
        }
        // A colon behind the host, or behind the bracket of an IPv6 address, begins a port.
        let afterBracket = authority.lastIndex(of: "]").map { authority[$0...] } ?? authority
        guard authority.hasPrefix("[") == authority.contains("]") else { throw refuse("missing ']' in host") }
        if let colon = afterBracket.lastIndex(of: ":") {
            let port = afterBracket[afterBracket.index(after: colon)...]
            guard port.isEmpty || (UInt16(port) != nil && port.utf8.allSatisfy { (0x30...0x39).contains($0) }) else {
                throw refuse("invalid port \(quoted(":" + port)) after host")
            }
        }
    }

    private static func quoted(_ text: some StringProtocol) -> String { String(text).debugDescription }

    /// Converts a stored relationship, keeping only what `mask` shows (`nil`: everything).
    /// - Throws: `Malformed` when what is stored is not a relationship.
    static func proto(
        _ relationship: FederationRelationship, mask: Spire_Api_Types_FederationRelationshipMask?
    ) throws -> Spire_Api_Types_FederationRelationship {
        var proto = Spire_Api_Types_FederationRelationship()
        do {
            proto.trustDomain = try TrustDomain(relationship.trustDomain).name
        } catch {
            throw Malformed("trust domain is required: \(error.message)")
        }
        if mask?.bundleEndpointURL ?? true { proto.bundleEndpointURL = relationship.bundleEndpointURL }
        if mask?.bundleEndpointProfile ?? true {
            switch relationship.profile {
            case .httpsWeb: proto.httpsWeb = .init()
            case .httpsSPIFFE(let id): proto.httpsSpiffe.endpointSpiffeID = id
            }
        }
        if mask?.trustDomainBundle ?? true, let bundle = relationship.bundle {
            proto.trustDomainBundle = try BundleMapping.proto(bundle)
        }
        return proto
    }

    static func fields(_ mask: Spire_Api_Types_FederationRelationshipMask?) -> RelationshipFields {
        guard let mask else { return .all }
        var fields: RelationshipFields = []
        if mask.bundleEndpointURL { fields.insert(.bundleEndpointURL) }
        if mask.bundleEndpointProfile { fields.insert(.profile) }
        if mask.trustDomainBundle { fields.insert(.bundle) }
        return fields
    }

    /// The relationship of a request as the audit log shows it.
    static func audit(
        _ proto: Spire_Api_Types_FederationRelationship, mask: Spire_Api_Types_FederationRelationshipMask?
    ) -> Logger.Metadata {
        var fields: Logger.Metadata = [:]
        if !proto.trustDomain.isEmpty { fields[LogKey.trustDomain] = "\(proto.trustDomain)" }
        if mask?.bundleEndpointURL ?? true, !proto.bundleEndpointURL.isEmpty {
            fields["bundle_endpoint_url"] = "\(proto.bundleEndpointURL)"
        }
        if mask?.bundleEndpointProfile ?? true {
            switch proto.bundleEndpointProfile {
            case .httpsWeb: fields["bundle_endpoint_profile"] = "https_web"
            case .httpsSpiffe(let profile):
                fields["bundle_endpoint_profile"] = "https_spiffe"
                fields["endpoint_spiffe_id"] = "\(profile.endpointSpiffeID)"
            case nil: break
            }
        }
        if mask?.trustDomainBundle ?? true, proto.hasTrustDomainBundle,
            let bundle = try? BundleMapping.model(proto.trustDomainBundle)
        {
            for (key, value) in bundle.audit { fields["bundle_\(key)"] = value }
        }
        return fields
    }
}
