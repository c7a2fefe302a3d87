// SPDX-License-Identifier: Apache-2.0

extension RegistrationEntry {
    /// This entry with the fields of another that an update touches.
    package func merging(_ wanted: RegistrationEntry, _ fields: EntryFields) -> RegistrationEntry {
        var entry = self
        if fields.contains(.spiffeID) { entry.spiffeID = wanted.spiffeID }
        if fields.contains(.parentID) { entry.parentID = wanted.parentID }
        if fields.contains(.selectors) { entry.selectors = wanted.selectors }
        if fields.contains(.x509SVIDTTL) { entry.x509SVIDTTL = wanted.x509SVIDTTL }
        if fields.contains(.jwtSVIDTTL) { entry.jwtSVIDTTL = wanted.jwtSVIDTTL }
        if fields.contains(.federatesWith) { entry.federatesWith = wanted.federatesWith }
        if fields.contains(.admin) { entry.admin = wanted.admin }
        if fields.contains(.downstream) { entry.downstream = wanted.downstream }
        if fields.contains(.expiresAt) { entry.expiresAt = wanted.expiresAt }
        if fields.contains(.dnsNames) { entry.dnsNames = wanted.dnsNames }
        if fields.contains(.storeSVID) { entry.storeSVID = wanted.storeSVID }
        if fields.contains(.hint) { entry.hint = wanted.hint }
        if fields.contains(.additionalAttributes) { entry.additionalAttributes = wanted.additionalAttributes }
        return entry
    }
}
