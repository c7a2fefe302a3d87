// SPDX-License-Identifier: Apache-2.0

import APIProtos
import CLISupport
import SPIFFE

/// The files `-data` names: `{"federationRelationships": [ … ]}`.
enum RelationshipFile {
    /// All relationships of the file, or none.
    /// - Throws: `CommandFailure`.
    static func relationships(_ path: String) throws -> [RelationshipMessage] {
        try relationships(InputFile.read(path))
    }

    static func relationships(_ bytes: [UInt8]) throws -> [RelationshipMessage] {
        let items: [JSONValue]
        do {
            items = try LooseObject(JSONValue.parse(bytes, maximumLength: InputFile.limit), "the file")
                .list("federationRelationships")
        } catch {
            throw CommandFailure("failed to parse JSON: \(error)")
        }
        return try items.enumerated().map { number, item in
            do {
                return try relationship(LooseObject(item, "it"))
            } catch {
                throw CommandFailure("could not parse item \(number): \(error)")
            }
        }
    }

    private static func relationship(_ item: LooseObject) throws -> RelationshipMessage {
        var relationship = try RelationshipRules.relationship(
            trustDomain: item.string("trustDomain"), url: item.string("bundleEndpointURL"),
            profile: item.string("bundleEndpointProfile"), endpointID: item.string("endpointSPIFFEID"))
        guard let value = item["trustDomainBundle"] else { return relationship }
        let format = try item.string("trustDomainBundleFormat")
        let bytes: [UInt8]
        switch format.lowercased() {
        case "pem":
            guard let text = value.string else {
                throw CommandFailure("cannot parse bundle raw message: trustDomainBundle is not a string of PEM text")
            }
            bytes = Array(text.utf8)
        case "spiffe": bytes = value.text()
        default: throw CommandFailure("bundle format \(GoText.quoted(format)) is unsupported")
        }
        relationship.trustDomainBundle = try RelationshipRules.bundle(
            bytes, format: format, of: relationship, context: "cannot parse bundle raw message")
        return relationship
    }
}
