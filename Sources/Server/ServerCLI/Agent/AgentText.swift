// SPDX-License-Identifier: Apache-2.0

import APIProtos
import CLISupport

extension Spire_Api_Types_Agent {
    /// The agent as commands print it, without an empty line behind it.
    var pretty: String {
        var text = ""
        func line(_ label: String, _ value: String) {
            text += label + String(repeating: " ", count: 18 - label.count) + ": " + value.harmless + "\n"
        }
        line("SPIFFE ID", id.text)
        line("Attestation type", attestationType)
        line("Expiration time", GoText.time(x509SvidExpiresAt, utc: false))
        if banned { line("Banned", "true") } else { line("Serial number", x509SvidSerialNumber) }
        line("Can re-attest", "\(canReattest)")
        if !agentVersion.isEmpty { line("Agent version", agentVersion) }
        return text
    }
}
