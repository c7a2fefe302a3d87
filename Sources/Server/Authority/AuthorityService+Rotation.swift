// SPDX-License-Identifier: Apache-2.0

import Datastore
import FoundationEssentials
import Groundwork
import Issuance
import Logging
import PluginAPI
import SPIFFE
import Synchronization
import Telemetry

extension AuthorityService {
    /// Makes a key in `label`, has it certified, publishes it, records it as prepared.
    func prepare(_ kind: AuthorityKind, _ label: SlotLabel) async throws {
        switch kind {
        case .x509: try await meters.x509Prepared.measure(time) { try await prepareX509(label) }
        case .jwt: try await meters.jwtPrepared.measure(time) { try await prepareKey(.jwt, label, settings.jwtKeyType) }
        case .wit: try await meters.witPrepared.measure(time) { try await prepareKey(.wit, label, settings.witKeyType) }
        }
    }

    private func prepareX509(_ label: SlotLabel) async throws {
        logger.debug("Preparing X509 CA", metadata: [LogKey.slot: "\(label.rawValue)"])
        let key = try await newKey(.x509, label, settings.caKeyType)
        let issued = time.now
        let grant = try await source.authority(for: key, now: issued)
        let certificate = grant.authority.certificate
        try CertificateRules.checkCA(certificate, trustDomain: settings.trustDomain, now: issued)

        var addition = TrustBundle(trustDomainID: settings.trustDomain.id.description)
        addition.x509Authorities = grant.roots.map { TrustBundle.X509Authority(der: $0) }
        bundle.set(try await store.appendBundle(addition))

        let authority = LocalAuthority(
            label: label, id: Hex.text(certificate.subjectKeyID), issuedAt: Self.seconds(issued),
            notAfter: certificate.notAfter,
            upstreamAuthorityID: source.isUpstream ? Hex.text(certificate.authorityKeyID) : "", status: .prepared)
        var journal = state.withLock { $0.journal }
        journal.append(
            authority, certificate: certificate.der,
            upstreamChain: grant.authority.upstreamChain)
        await recordPrepared(journal)
        state.withLock { state in
            state.x509Held[label] = grant.authority
            state.x509.prepared(authority)
        }
        var metadata = facts(.x509, authority, issued: issued, expires: certificate.validUntil)
        metadata["self_signed"] = "\(!source.isUpstream)"
        logger.info("X509 CA prepared", metadata: metadata)
    }

    /// Makes a key that signs tokens.
    private func prepareKey(_ kind: AuthorityKind, _ label: SlotLabel, _ type: KeyType) async throws {
        logger.debug("Preparing \(kind.title)", metadata: [LogKey.slot: "\(label.rawValue)"])
        let key = try await newKey(kind, label, type)
        let issued = time.now
        let expires = issued.addingTimeInterval(settings.caTTL.inSeconds)
        let id = Self.newKeyID(random)
        let writer = try JWSWriter(signer: key, keyID: id, type: kind == .wit ? .wit : .jwt)

        var addition = TrustBundle(trustDomainID: settings.trustDomain.id.description)
        let published = TrustBundle.JWTAuthority(
            publicKey: key.publicKey.spki, keyID: id, expiresAt: Self.seconds(expires))
        if kind == .wit { addition.witAuthorities = [published] } else { addition.jwtAuthorities = [published] }
        bundle.set(try await store.appendBundle(addition))

        let authority = LocalAuthority(
            label: label, id: id, issuedAt: Self.seconds(issued), notAfter: Self.seconds(expires), status: .prepared)
        var journal = state.withLock { $0.journal }
        journal.append(kind, authority, publicKey: key.publicKey.spki)
        await recordPrepared(journal)
        state.withLock { state in
            state.hold(kind, writer, in: label)
            state[kind].prepared(authority)
        }
        logger.info("\(kind.title) prepared", metadata: facts(kind, authority, issued: issued, expires: expires))
    }

    /// Has the key manager replace the slot's key, and checks that the new one signs what its public key accepts.
    private func newKey(_ kind: AuthorityKind, _ label: SlotLabel, _ type: KeyType) async throws -> any ManagedKey {
        let key = try await keyManager.generateKey(id: kind.keyID(label), type: type)
        change(kind) { $0.replacing(label) }
        let probe = Array("is this key the one it says it is".utf8)
        guard let keyType = key.publicKey.type, keyType == type else {
            throw SpireError(.authorityPreparation, "key manager made a key of another type than asked for")
        }
        let scheme = keyType.signatureScheme
        let signature = try await key.sign(probe, scheme: scheme)
        let verifies = try SubjectPublicKey(spki: key.publicKey.spki).verifies(
            signature[...], of: probe[...], algorithm: scheme.algorithmIdentifier[...])
        guard verifies else {
            throw SpireError(.authorityPreparation, "key manager's key does not belong to its public key")
        }
        return key
    }

    /// Records a prepared authority. Failing is not fatal: nothing has been signed with it, and activation records it
    /// again before anything is.
    private func recordPrepared(_ journal: AuthorityJournal) async {
        do {
            try await record(journal)
        } catch {
            state.withLock { $0.journal = journal }
            logger.error("Unable to save CA journal", metadata: [LogKey.error: "\(error)"])
        }
    }

    /// Records `authority` as active, then signs with it.
    ///
    /// The record comes first, so that a restart finds the authority that signed. Only when the one before can sign no
    /// longer does a failing datastore not stand in the way.
    func activate(_ kind: AuthorityKind, _ authority: LocalAuthority) async throws {
        let former = machine(kind).active
        var journal = state.withLock { $0.journal }
        journal.activate(kind, id: authority.id, former: former?.id)
        do {
            try await record(journal)
        } catch {
            guard let former, former.notAfter <= now else { throw error }
            state.withLock { $0.journal = journal }
            logger.error("Unable to save CA journal", metadata: [LogKey.error: "\(error)"])
        }
        change(kind) { $0.activated() }
        publishSigning()
        logActivated(kind, authority)
    }

    func logActivated(_ kind: AuthorityKind, _ authority: LocalAuthority) {
        let expires = Date(timeIntervalSince1970: Double(authority.notAfter))
        let issued = Date(timeIntervalSince1970: Double(authority.issuedAt))
        let metadata = facts(kind, authority, issued: issued, expires: expires)
        meters.activated(kind, until: expires, now: time.now)
        logger.info("\(kind.title) activated", metadata: metadata)
        if kind == .x509 {
            logger.debug(
                "Successfully rotated X.509 CA",
                metadata: [
                    LogKey.trustDomain: "\(settings.trustDomain.id)",
                    "ttl": "\(expires.timeIntervalSince(time.now))",
                ])
        }
    }

    /// Hands the active authorities to those who sign.
    func publishSigning() {
        let next = state.withLock { state -> Signing in
            let x509 = state.x509.active.flatMap { state.x509Held[$0.label] }
            let jwt = state.jwt.active.flatMap { active in
                state.jwtHeld[active.label].map { (writer: $0, notAfter: active.notAfter) }
            }
            let wit = state.wit.active.flatMap { active in
                state.witHeld[active.label].map { (writer: $0, notAfter: active.notAfter) }
            }
            return Signing(x509: x509, jwt: jwt, wit: wit)
        }
        signing.withLock { $0 = next }
    }

    private func facts(_ kind: AuthorityKind, _ authority: LocalAuthority, issued: Date, expires: Date) -> Logger.Metadata {
        var metadata: Logger.Metadata = [
            LogKey.slot: "\(authority.label.rawValue)",
            LogKey.issuedAt: "\(CivilTime.logText(issued))",
            LogKey.expiration: "\(CivilTime.logText(expires))",
            LogKey.localAuthorityID: "\(authority.id)",
        ]
        if kind == .x509 { metadata[LogKey.upstreamAuthorityID] = "\(authority.upstreamAuthorityID)" }
        return metadata
    }

    private static func seconds(_ date: Date) -> Int64 { Int64(date.timeIntervalSince1970.rounded(.down)) }

    /// 32 letters and digits. > Matches: SPIRE's key IDs.
    private static func newKeyID(_ random: any RandomSource) -> String {
        let alphabet = Array("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789".utf8)
        return String(decoding: random.bytes(32).map { alphabet[Int($0) % alphabet.count] }, as: UTF8.self)
    }
}
