// SPDX-License-Identifier: Apache-2.0

import CLISupport
import FoundationEssentials
import SPIFFE
import WorkloadProtos
import X509

/// One answer of the Workload API, parsed and verified before it is shown.
struct X509Update {
    struct Identity {
        let svid: X509SVID
        let bundle: X509Bundle
        let hint: String
    }

    let identities: [Identity]
    /// By the key as sent, sorted.
    let federated: [(key: String, certificates: [Certificate])]

    /// - Throws: `CommandFailure` naming what is wrong with the answer.
    init(_ response: Workload_X509SVIDResponse, now: Date) throws {
        guard !response.svids.isEmpty else { throw CommandFailure("workload response contains no svids") }
        identities = try response.svids.map { item in
            let svid = try X509SVID(der: [UInt8](item.x509Svid), pkcs8: [UInt8](item.x509SvidKey), hint: item.hint)
            let bundle = try X509Bundle(svid.id.trustDomain, der: item.bundle)
            guard !bundle.authorities.isEmpty else { throw CommandFailure("no certificates in trust bundle") }
            do {
                _ = try X509SVID.verify(svid.chain, bundles: bundle, at: now)
            } catch {
                throw CommandFailure("\"\(svid.id)\" SVID failed verification against bundle: \(error.harmless)")
            }
            return Identity(svid: svid, bundle: bundle, hint: item.hint)
        }
        federated = try response.federatedBundles.sorted { $0.key < $1.key }.map { key, der in
            let certificates: [Certificate]
            do {
                certificates = try Certificate.sequence(der: der)
            } catch {
                throw CommandFailure("failed to parse bundle for federated domain \"\(key.harmless)\": \(error.harmless)")
            }
            guard !certificates.isEmpty else {
                throw CommandFailure("no certificates in bundle for federated domain \"\(key.harmless)\"")
            }
            return (key, certificates)
        }
    }

    /// - Parameters:
    ///   - elapsed: Since the command or the previous update began.
    ///   - bareNames: Whether federated domains go by their names, as the watcher has them.
    func text(elapsed: Duration, hints: Bool, bareNames: Bool) -> String {
        let count = identities.count
        var text = "Received \(count) svid\(count == 1 ? "" : "s") after \(GoText.duration(elapsed))\n\n"
        func validity(_ label: String, _ certificate: Certificate) {
            func time(_ date: Date) -> String { GoText.time(Int64(date.timeIntervalSince1970), utc: true) }
            text += "\(label) Valid After:\t\(time(certificate.notValidBefore))\n"
            text += "\(label) Valid Until:\t\(time(certificate.notValidAfter))\n"
        }
        for identity in identities {
            text += "SPIFFE ID:\t\t\(identity.svid.id)\n"
            if hints, !identity.hint.isEmpty { text += "Hint:\t\t\t\(identity.hint.harmless)\n" }
            validity("SVID", identity.svid.leaf)
            for (number, certificate) in identity.svid.chain.dropFirst().enumerated() {
                validity("Intermediate #\(number + 1)", certificate)
            }
            for (number, certificate) in identity.bundle.authorities.enumerated() {
                validity("CA #\(number + 1)", certificate)
            }
            for (key, certificates) in federated {
                let name = bareNames && key.hasPrefix("spiffe://") ? String(key.dropFirst(9)) : key
                for (number, certificate) in certificates.enumerated() {
                    validity("[\(name.harmless)] CA #\(number + 1)", certificate)
                }
            }
            text += "\n"
        }
        return text
    }
}
