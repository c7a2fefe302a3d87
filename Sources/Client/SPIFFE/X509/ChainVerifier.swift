// SPDX-License-Identifier: Apache-2.0

public import FoundationEssentials
import SwiftASN1
public import X509

/// Finds a path from a certificate to one of a set of roots, all valid at one time.
///
/// Knows nothing of SPIFFE IDs: ``X509SVID/verify(_:bundles:at:)`` adds those rules. Synchronous, without I/O, and
/// bounded in what a hostile chain can make it do.
/// > Spec: RFC 5280 §6.1, without policies and revocation lists.
public struct ChainVerifier: Sendable {
    /// Most certificates of a presented chain, leaf included.
    public static let maximumChainLength = 10
    /// Most signatures that are checked before a chain is given up.
    public static let maximumSignatureChecks = 32

    static let tooLong = SPIFFEError(
        .untrusted, "chain has more than \(ChainVerifier.maximumChainLength) certificates")

    /// The certificates a path may end in.
    public let roots: [Certificate]

    public init(roots: [Certificate]) {
        self.roots = roots
    }

    /// Returns the first path found: `chain[0]`, intermediates out of `chain` in any order, and a root.
    ///
    /// - Parameters:
    ///   - chain: The certificate to verify, then intermediates that may help.
    ///   - time: When each certificate of the path must be valid.
    /// - Throws: `untrusted`.
    public func path(from chain: [Certificate], at time: Date) throws(SPIFFEError) -> [Certificate] {
        guard let leaf = chain.first else { throw SPIFFEError(.untrusted, "empty certificates chain") }
        guard chain.count <= Self.maximumChainLength else { throw Self.tooLong }
        try PathRules.checkValidity(leaf, at: time)
        try PathRules.checkCriticalExtensions(leaf)
        var search = PathSearch(roots: roots, intermediates: Array(chain.dropFirst()), time: time, leaf: leaf)
        guard search.extend(authoritiesBelow: 0) else {
            throw search.firstFailure ?? SPIFFEError(.untrusted, "x509: certificate signed by unknown authority")
        }
        return search.path
    }
}

/// A depth-first search from the leaf upwards. Each intermediate is used at most once in a path.
private struct PathSearch {
    let roots: [Certificate]
    let intermediates: [Certificate]
    let time: Date
    var path: [Certificate]
    var used: [Bool]
    var checksLeft = ChainVerifier.maximumSignatureChecks
    /// The reason the first otherwise fitting issuer was turned down: more telling than "unknown authority".
    var firstFailure: SPIFFEError?

    init(roots: [Certificate], intermediates: [Certificate], time: Date, leaf: Certificate) {
        self.roots = roots
        self.intermediates = intermediates
        self.time = time
        path = [leaf]
        used = Array(repeating: false, count: intermediates.count)
    }

    /// Lengthens `path` until it ends in a root.
    /// - Parameter authoritiesBelow: How many authorities of `path` count against a path length limit.
    mutating func extend(authoritiesBelow: Int) -> Bool {
        let tip = path[path.count - 1]
        for index in candidates(in: roots, for: tip) {
            let root = roots[index]
            guard accepts(root, of: tip, isRoot: true, authoritiesBelow: authoritiesBelow) else { continue }
            path.append(root)
            if fitsNameConstraints() { return true }
            path.removeLast()
        }
        for index in candidates(in: intermediates, for: tip) where !used[index] {
            let signer = intermediates[index]
            guard accepts(signer, of: tip, isRoot: false, authoritiesBelow: authoritiesBelow) else { continue }
            used[index] = true
            path.append(signer)
            let counts = signer.issuer != signer.subject
            if extend(authoritiesBelow: authoritiesBelow + (counts ? 1 : 0)) { return true }
            path.removeLast()
            used[index] = false
        }
        return false
    }

    /// Indices of certificates that carry the name of `tip`'s issuer, those with the right key identifier first.
    private func candidates(in certificates: [Certificate], for tip: Certificate) -> [Int] {
        var found = certificates.indices.filter { certificates[$0].subject == tip.issuer }
        guard found.count > 1, let wanted = try? tip.extensions.authorityKeyIdentifier?.keyIdentifier else {
            return found
        }
        let split = found.partition { index in
            (try? certificates[index].extensions.subjectKeyIdentifier?.keyIdentifier) != wanted
        }
        // `partition` does not keep the order of the second part; nothing depends on it.
        return Array(found[..<split]) + Array(found[split...])
    }

    /// Whether `issuer` may and did sign `tip`. The cheap rules come before the signature.
    private mutating func accepts(
        _ issuer: Certificate, of tip: Certificate, isRoot: Bool, authoritiesBelow: Int
    ) -> Bool {
        do {
            try PathRules.checkValidity(issuer, at: time)
            try PathRules.checkCriticalExtensions(issuer)
            try PathRules.checkAuthority(issuer, isRoot: isRoot, authoritiesBelow: authoritiesBelow)
        } catch {
            note(error)
            return false
        }
        guard checksLeft > 0 else {
            note(SPIFFEError(.untrusted, "x509: signature check attempts limit reached while verifying certificate chain"))
            return false
        }
        checksLeft -= 1
        return issuer.publicKey.isValidSignature(tip.signature, for: tip)
    }

    private mutating func fitsNameConstraints() -> Bool {
        do {
            try NameConstraintRules.check(path)
            return true
        } catch {
            note(error)
            return false
        }
    }

    private mutating func note(_ failure: SPIFFEError) {
        if firstFailure == nil { firstFailure = failure }
    }
}
