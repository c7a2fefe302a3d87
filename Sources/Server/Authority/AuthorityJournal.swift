// SPDX-License-Identifier: Apache-2.0

import Datastore
import FoundationEssentials
import Groundwork
import Issuance
import StateProtos
import SwiftProtobuf

/// The stored record of one server's authorities, from which it continues after a restart.
struct AuthorityJournal: Sendable {
    /// Most records of a kind; the oldest go.
    static let limit = 10

    /// 0 until stored for the first time.
    var rowID: Int64 = 0
    private(set) var entries = Spire_Server_Journal_Entries()

    init() {}

    /// - Throws: `authority.journal_malformed`.
    init(_ stored: CAJournal) throws {
        rowID = stored.id
        do {
            entries = try Spire_Server_Journal_Entries(serializedBytes: stored.data)
        } catch {
            throw SpireError(.journalMalformed, "unable to unmarshal entries from CA journal record", cause: error)
        }
    }

    /// The subject key ID of the newest X.509 authority marked active; empty for none.
    var activeX509AuthorityID: String {
        entries.x509Cas.last { $0.status == .active }?.authorityID ?? ""
    }

    /// The row as it is to be stored.
    func stored() throws -> CAJournal {
        CAJournal(
            id: rowID, data: try entries.serializedBytes(), activeX509AuthorityID: activeX509AuthorityID)
    }

    mutating func append(_ authority: LocalAuthority, certificate: [UInt8], upstreamChain: [[UInt8]]) {
        var entry = Spire_Server_Journal_X509CAEntry()
        entry.slotID = authority.label.rawValue
        entry.issuedAt = authority.issuedAt
        entry.notAfter = authority.notAfter
        entry.certificate = Data(certificate)
        entry.upstreamChain = upstreamChain.map { Data($0) }
        entry.status = Self.status(authority.status)
        entry.authorityID = authority.id
        entry.upstreamAuthorityID = authority.upstreamAuthorityID
        entries.x509Cas.append(entry)
        entries.x509Cas.removeFirst(max(0, entries.x509Cas.count - Self.limit))
    }

    /// - Parameter kind: JWT or WIT.
    mutating func append(_ kind: AuthorityKind, _ authority: LocalAuthority, publicKey: [UInt8]) {
        var entry = Spire_Server_Journal_JWTKeyEntry()
        entry.slotID = authority.label.rawValue
        entry.issuedAt = authority.issuedAt
        entry.notAfter = authority.notAfter
        entry.kid = authority.id
        entry.publicKey = Data(publicKey)
        entry.status = Self.status(authority.status)
        entry.authorityID = authority.id
        if kind == .wit {
            entries.witKeys.append(Spire_Server_Journal_WITKeyEntry(entry))
            entries.witKeys.removeFirst(max(0, entries.witKeys.count - Self.limit))
        } else {
            entries.jwtKeys.append(entry)
            entries.jwtKeys.removeFirst(max(0, entries.jwtKeys.count - Self.limit))
        }
    }

    /// What is recorded of JWT or WIT keys; the two are stored alike.
    func keys(_ kind: AuthorityKind) -> [Spire_Server_Journal_JWTKeyEntry] {
        kind == .wit ? entries.witKeys.map(Spire_Server_Journal_JWTKeyEntry.init) : entries.jwtKeys
    }

    /// Records that `id` is active and `former` no longer.
    mutating func activate(_ kind: AuthorityKind, id: String, former: String?) {
        switch kind {
        case .x509:
            for index in entries.x509Cas.indices {
                if entries.x509Cas[index].authorityID == id { entries.x509Cas[index].status = .active }
                if entries.x509Cas[index].authorityID == former { entries.x509Cas[index].status = .old }
            }
        case .jwt:
            for index in entries.jwtKeys.indices {
                if entries.jwtKeys[index].authorityID == id { entries.jwtKeys[index].status = .active }
                if entries.jwtKeys[index].authorityID == former { entries.jwtKeys[index].status = .old }
            }
        case .wit:
            for index in entries.witKeys.indices {
                if entries.witKeys[index].authorityID == id { entries.witKeys[index].status = .active }
                if entries.witKeys[index].authorityID == former { entries.witKeys[index].status = .old }
            }
        }
    }

    /// When the last of the recorded authorities ends, in Unix seconds; `nil` when none is recorded.
    var lastExpiry: Int64? {
        let all = entries.x509Cas.map(\.notAfter) + entries.jwtKeys.map(\.notAfter) + entries.witKeys.map(\.notAfter)
        return all.max()
    }

    private static func status(_ status: LocalAuthority.Status) -> Spire_Server_Journal_Status {
        switch status {
        case .prepared: .prepared
        case .active: .active
        case .old: .old
        }
    }
}

extension Spire_Server_Journal_WITKeyEntry {
    init(_ entry: Spire_Server_Journal_JWTKeyEntry) {
        self.init()
        slotID = entry.slotID
        issuedAt = entry.issuedAt
        notAfter = entry.notAfter
        kid = entry.kid
        publicKey = entry.publicKey
        status = entry.status
        authorityID = entry.authorityID
    }
}

extension Spire_Server_Journal_JWTKeyEntry {
    init(_ entry: Spire_Server_Journal_WITKeyEntry) {
        self.init()
        slotID = entry.slotID
        issuedAt = entry.issuedAt
        notAfter = entry.notAfter
        kid = entry.kid
        publicKey = entry.publicKey
        status = entry.status
        authorityID = entry.authorityID
    }
}

extension LocalAuthority.Status {
    /// A status a record may have; one that is unknown here counts as old.
    init(_ stored: Spire_Server_Journal_Status) {
        switch stored {
        case .prepared: self = .prepared
        case .active: self = .active
        case .old, .unknown, .UNRECOGNIZED: self = .old
        }
    }
}
