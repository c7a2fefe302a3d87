// SPDX-License-Identifier: Apache-2.0

import Datastore
import Groundwork

/// What appending, pruning, tainting and revoking do to a bundle: no database involved.
extension TrustBundle {
    /// Takes over the fields of `other` that `fields` names.
    mutating func replace(_ fields: BundleFields, from other: TrustBundle) {
        if fields.contains(.x509Authorities) { x509Authorities = other.x509Authorities }
        if fields.contains(.jwtAuthorities) { jwtAuthorities = other.jwtAuthorities }
        if fields.contains(.witAuthorities) { witAuthorities = other.witAuthorities }
        if fields.contains(.refreshHint) { refreshHint = other.refreshHint }
        if fields.contains(.sequenceNumber) { sequenceNumber = other.sequenceNumber }
    }

    /// Adds what is new; the same authority with another taint flag counts as another one.
    /// - Returns: whether anything was.
    mutating func append(_ other: TrustBundle) -> Bool {
        let changes = [
            x509Authorities.union(other.x509Authorities), jwtAuthorities.union(other.jwtAuthorities),
            witAuthorities.union(other.witAuthorities),
        ]
        guard changes.contains(true) else { return false }
        sequenceNumber += 1
        return true
    }

    /// Drops authorities that expired at or before `cutoff`. A key without expiry counts as expired in 1970.
    /// - Returns: whether anything was dropped.
    mutating func prune(expiredBefore cutoff: Int64) throws -> Bool {
        let before = (x509Authorities.count, jwtAuthorities.count, witAuthorities.count)
        x509Authorities = try x509Authorities.filter { try facts($0).notAfter > cutoff }
        if x509Authorities.isEmpty { throw StoreFailure.sql("prune failed: would prune all certificates") }
        jwtAuthorities.removeAll { $0.expiresAt <= cutoff }
        if jwtAuthorities.isEmpty, before.1 > 0 {
            throw StoreFailure.sql("prune failed: would prune all JWT signing keys")
        }
        witAuthorities.removeAll { $0.expiresAt <= cutoff }
        if witAuthorities.isEmpty, before.2 > 0 {
            throw StoreFailure.sql("prune failed: would prune all WIT signing keys")
        }
        guard before != (x509Authorities.count, jwtAuthorities.count, witAuthorities.count) else { return false }
        sequenceNumber += 1
        return true
    }

    mutating func taintX509(_ subjectKeyID: String) throws {
        var found = false
        for index in x509Authorities.indices where try facts(x509Authorities[index]).subjectKeyID == subjectKeyID {
            if x509Authorities[index].tainted { throw StoreFailure.invalid("root CA is already tainted") }
            x509Authorities[index].tainted = true
            found = true
        }
        guard found else { throw SpireError(.notFound, "no ca found with provided subject key ID") }
        sequenceNumber += 1
    }

    mutating func revokeX509(_ subjectKeyID: String) throws {
        let matching = try x509Authorities.filter { try facts($0).subjectKeyID == subjectKeyID }
        if matching.isEmpty { throw SpireError(.notFound, "no root CA found with provided subject key ID") }
        if matching.contains(where: { !$0.tainted }) {
            throw StoreFailure.invalid("it is not possible to revoke an untainted root CA")
        }
        x509Authorities.removeAll { matching.contains($0) }
        sequenceNumber += 1
    }

    mutating func taintJWT(_ keyID: String) throws -> JWTAuthority {
        guard let index = jwtAuthorities.firstIndex(where: { $0.keyID == keyID }) else {
            throw SpireError(.notFound, "no JWT Key found with provided key ID")
        }
        if jwtAuthorities[index].tainted { throw StoreFailure.invalid("key is already tainted") }
        jwtAuthorities[index].tainted = true
        sequenceNumber += 1
        return jwtAuthorities[index]
    }

    mutating func revokeJWT(_ keyID: String) throws -> JWTAuthority {
        guard let index = jwtAuthorities.firstIndex(where: { $0.keyID == keyID }) else {
            throw SpireError(.notFound, "no JWT Key found with provided key ID")
        }
        if !jwtAuthorities[index].tainted {
            throw StoreFailure.invalid("it is not possible to revoke an untainted key")
        }
        sequenceNumber += 1
        return jwtAuthorities.remove(at: index)
    }

    private func facts(_ authority: X509Authority) throws -> CertificateFacts {
        guard let facts = CertificateFacts(der: authority.der) else {
            throw StoreFailure.sql("the bundle of \(trustDomainID) holds what is not a certificate")
        }
        return facts
    }
}

extension Array where Element: Equatable {
    fileprivate mutating func union(_ others: [Element]) -> Bool {
        let before = count
        for other in others where !contains(other) { append(other) }
        return count != before
    }
}
