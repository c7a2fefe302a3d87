// SPDX-License-Identifier: Apache-2.0

import Datastore
import FoundationEssentials
import Groundwork
import Issuance
import Logging
import PluginAPI
import SPIFFE
import Synchronization
import StateProtos

extension AuthorityService {
    /// Reads the journal that belongs to the key manager's keys and continues with what of it is usable.
    ///
    /// - Throws: what the key manager or the datastore throws; `authority.journal_malformed`. Nothing is changed then.
    func restore() async throws {
        logger.debug("Loading journal from datastore")
        var keys: [String: any ManagedKey] = [:]
        for key in try await keyManager.keys() { keys[key.id] = key }
        let journal = try await findJournal(keys)
        logger.info(
            "Journal loaded",
            metadata: [
                "x509_cas": "\(journal.entries.x509Cas.count)", "jwt_keys": "\(journal.entries.jwtKeys.count)",
                "wit_keys": "\(journal.entries.witKeys.count)",
            ])
        let published = try await store.bundle(trustDomainID: settings.trustDomain.id.description)
        bundle.set(published)

        let x509 = restoreX509(journal.entries.x509Cas, keys, published)
        let kept = settings.kinds
        let jwt = kept.contains(.jwt) ? restoreKeys(.jwt, journal, keys, published?.jwtAuthorities) : []
        let wit = kept.contains(.wit) ? restoreKeys(.wit, journal, keys, published?.witAuthorities) : []
        state.withLock { state in
            state.journal = journal
            state.x509 = Self.machine(x509.map(\.authority))
            state.jwt = Self.machine(jwt.map(\.authority))
            state.wit = Self.machine(wit.map(\.authority))
            for item in x509 where state.x509.holds(item.authority) { state.x509Held[item.authority.label] = item.ca }
            for item in jwt where state.jwt.holds(item.authority) {
                state.hold(.jwt, item.writer, in: item.authority.label)
            }
            for item in wit where state.wit.holds(item.authority) {
                state.hold(.wit, item.writer, in: item.authority.label)
            }
        }
        publishSigning()
        for kind in kept {
            if let active = machine(kind).active { logActivated(kind, active) }
        }
    }

    private func findJournal(_ keys: [String: any ManagedKey]) async throws -> AuthorityJournal {
        for key in keys.values.sorted(by: { $0.id < $1.id }) {
            let id = Hex.text(key.publicKey.subjectKeyID)
            if let stored = try await store.caJournal(activeX509AuthorityID: id) { return try AuthorityJournal(stored) }
        }
        logger.info("There is not a CA journal record that matches any of the local X509 authority IDs")
        return AuthorityJournal()
    }

    /// The newest active authority and the newest other one; newest first, as records are appended.
    private static func machine(_ usable: [LocalAuthority]) -> AuthorityMachine {
        let active = usable.first { $0.status == .active }
        return AuthorityMachine(
            active: active, spare: usable.first { $0.status != .active && $0.label != active?.label })
    }

    private func restoreX509(
        _ entries: [Spire_Server_Journal_X509CAEntry], _ keys: [String: any ManagedKey], _ published: TrustBundle?
    ) -> [(authority: LocalAuthority, ca: X509CA)] {
        entries.reversed().compactMap { entry in
            do {
                guard let label = SlotLabel(rawValue: entry.slotID) else { throw Unusable("no slot id") }
                guard let key = keys[AuthorityKind.x509.keyID(label)] else { throw Unusable("no key manager key") }
                let certificate = try CertificateSummary([UInt8](entry.certificate))
                guard key.publicKey.spki == certificate.spki else { throw Unusable("public key does not match key") }
                guard certificate.notAfter > now else { throw Unusable("expired") }
                let isSelfSigned = entry.upstreamChain.isEmpty
                guard
                    !isSelfSigned
                        || published?.x509Authorities.contains(where: { $0.der == certificate.der }) == true
                else { throw Unusable("not in the trust bundle") }
                let authority = LocalAuthority(
                    label: label, id: Hex.text(certificate.subjectKeyID), issuedAt: entry.issuedAt,
                    notAfter: certificate.notAfter, upstreamAuthorityID: entry.upstreamAuthorityID,
                    status: LocalAuthority.Status(entry.status))
                return (
                    authority,
                    try X509CA(
                        signer: key, certificate: certificate, upstreamChain: entry.upstreamChain.map { [UInt8]($0) })
                )
            } catch {
                logUnusable("X509CA slot unusable", entry.slotID, entry.authorityID, error)
                return nil
            }
        }
    }

    private func restoreKeys(
        _ kind: AuthorityKind, _ journal: AuthorityJournal, _ keys: [String: any ManagedKey],
        _ published: [TrustBundle.JWTAuthority]?
    ) -> [(authority: LocalAuthority, writer: JWSWriter)] {
        journal.keys(kind).reversed().compactMap { entry in
            do {
                guard let label = SlotLabel(rawValue: entry.slotID) else { throw Unusable("no slot id") }
                guard let key = keys[kind.keyID(label)] else { throw Unusable("no key manager key") }
                guard key.publicKey.spki == [UInt8](entry.publicKey) else {
                    throw Unusable("public key does not match key")
                }
                guard entry.notAfter > now else { throw Unusable("expired") }
                guard published?.contains(where: { $0.keyID == entry.kid }) == true else {
                    throw Unusable("not in the trust bundle")
                }
                let authority = LocalAuthority(
                    label: label, id: entry.kid, issuedAt: entry.issuedAt, notAfter: entry.notAfter,
                    status: LocalAuthority.Status(entry.status))
                return (authority, try JWSWriter(signer: key, keyID: entry.kid, type: kind == .wit ? .wit : .jwt))
            } catch {
                logUnusable("\(kind.title) slot unusable", entry.slotID, entry.kid, error)
                return nil
            }
        }
    }

    private func logUnusable(_ message: Logger.Message, _ slot: String, _ id: String, _ error: any Error) {
        logger.warning(
            message,
            metadata: [
                LogKey.slot: "\(slot)", LogKey.localAuthorityID: "\(id)", LogKey.error: "\(error)",
            ])
    }

    /// Why a record is passed over.
    private struct Unusable: Error, CustomStringConvertible {
        let description: String
        init(_ reason: String) { description = reason }
    }
}

extension AuthorityMachine {
    /// Whether `authority` is one of the two.
    fileprivate func holds(_ authority: LocalAuthority) -> Bool {
        active?.id == authority.id || spare?.id == authority.id
    }
}
