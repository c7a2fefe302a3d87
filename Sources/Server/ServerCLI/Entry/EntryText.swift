// SPDX-License-Identifier: Apache-2.0

import APIProtos
import CLISupport

extension Spire_Api_Types_Entry {
    /// The entry as commands print it, an empty line behind it.
    var pretty: String {
        var text = ""
        print(to: &text)
        return text
    }

    /// The same at the end of `text`.
    func print(to text: inout String) {
        func line(_ label: String, _ value: String) {
            text += label
            for _ in label.utf8.count..<24 { text += " " }
            text += ": "
            text += value.harmless
            text += "\n"
        }
        func ttl(_ seconds: Int32) -> String { seconds == 0 ? "default" : "\(seconds)" }
        line("Entry ID", id.isEmpty ? "(none)" : id)
        line("SPIFFE ID", spiffeID.text)
        line("Parent ID", parentID.text)
        line("Revision", "\(revisionNumber)")
        if downstream { line("Downstream", "true") }
        line("X509-SVID TTL", ttl(x509SvidTtl))
        line("JWT-SVID TTL", ttl(jwtSvidTtl))
        if expiresAt != 0 { line("Expiration time", GoText.time(expiresAt, utc: true)) }
        for selector in selectors { line("Selector", "\(selector.type):\(selector.value)") }
        for name in federatesWith { line("FederatesWith", name) }
        for name in dnsNames { line("DNS name", name) }
        if admin { line("Admin", "true") }
        if storeSvid { line("StoreSvid", "true") }
        if !hint.isEmpty { line("Hint", hint) }
        if additionalAttributes.disableX509SvidPrefetch { line("DisableX509SvidPrefetch", "true") }
        if additionalAttributes.jwtSvidIncludeJti { line("JwtSvidIncludeJti", "true") }
        text += "\n"
    }
}
