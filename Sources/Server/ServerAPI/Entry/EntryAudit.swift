// SPDX-License-Identifier: Apache-2.0

import APIProtos
import Groundwork
import Logging

extension Spire_Api_Types_Entry {
    /// The entry of a request as the audit log shows it.
    var audit: Logger.Metadata {
        var fields: Logger.Metadata = [
            "x509_svid_ttl": "\(x509SvidTtl)", "jwt_svid_ttl": "\(jwtSvidTtl)", "admin": "\(admin)",
            "downstream": "\(downstream)", LogKey.expiresAt: "\(expiresAt)", "revision_number": "\(revisionNumber)",
            "store_svid": "\(storeSvid)", "hint": "\(hint)", "created_at": "\(createdAt)",
        ]
        if !id.isEmpty { fields[LogKey.entryID] = "\(id)" }
        if hasSpiffeID { fields[LogKey.spiffeID] = "\(spiffeID.text)" }
        if hasParentID { fields[LogKey.parentID] = "\(parentID.text)" }
        if !selectors.isEmpty { fields[LogKey.selectors] = "\(SelectorMapping.text(selectors))" }
        if !federatesWith.isEmpty { fields["federates_with"] = "\(federatesWith.joined(separator: ","))" }
        if !dnsNames.isEmpty { fields["dns_name"] = "\(dnsNames.joined(separator: ","))" }
        return fields
    }
}

extension Spire_Api_Types_SPIFFEID {
    /// As a URI, unchecked: for logs.
    var text: String { "spiffe://\(trustDomain)\(path)" }
}

extension EntryFilterMapping.Fields {
    /// The filter as the audit log shows it.
    var audit: Logger.Metadata {
        var fields: Logger.Metadata = [:]
        if let hint { fields["hint"] = "\(hint)" }
        if let parentID { fields[LogKey.parentID] = "\(parentID.text)" }
        if let spiffeID { fields[LogKey.spiffeID] = "\(spiffeID.text)" }
        if let selectors {
            fields["by_selectors"] = "\(SelectorMapping.text(selectors.selectors))"
            fields["by_selector_match"] = "\(selectors.match.auditText)"
        }
        if let federatesWith {
            fields["federates_with"] = "\(federatesWith.trustDomains.joined(separator: ","))"
            fields["federates_with_match"] = "\(federatesWith.match.rawValue)"
        }
        if let downstream { fields["downstream"] = "\(downstream)" }
        return fields
    }
}
