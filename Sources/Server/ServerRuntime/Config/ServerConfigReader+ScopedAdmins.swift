// SPDX-License-Identifier: Apache-2.0

import Datastore
import Groundwork
import HCL
import SPIFFE
import ServerAPI

extension ServerConfigReader {
    private static let mostBlocks = 1000

    /// `scoped_admin "<SPIFFE ID>" { … }`: a part of an administrator's rights.
    func scopedAdmins(
        _ server: HCLBlock, adminIDs: [SPIFFEID], trustDomain: TrustDomain
    ) -> [SPIFFEID: AdminScope] {
        var scopes: [SPIFFEID: AdminScope] = [:]
        for item in (server.labelled("scoped_admin") ?? []).prefix(Self.mostBlocks) {
            let label = item.label
            guard let id = try? SPIFFEID(label.text), !id.path.isEmpty else {
                report(
                    item.block.path, "scoped_admin \"\(label.text)\" is not a SPIFFE ID with a path", at: label.position)
                continue
            }
            if adminIDs.contains(id) {
                report(
                    item.block.path, "\(id) is in admin_ids as well, which has no limits; name it in one of the two",
                    at: label.position)
            }
            let scope = scope(item.block)
            if scopes.updateValue(scope, forKey: id) != nil {
                report(item.block.path, "scoped_admin \"\(id)\" is there twice", at: label.position)
            }
        }
        let protected = Set(adminIDs).union(scopes.keys)
        return scopes.mapValues { scope in
            var scope = scope
            scope.protectedIDs = protected
            return scope
        }
    }

    private func scope(_ block: HCLBlock) -> AdminScope {
        var verbs: Set<AdminScope.Verb> = []
        for (text, position) in values("verbs", block) {
            if let verb = AdminScope.Verb(rawValue: text) {
                verbs.insert(verb)
            } else {
                let known = AdminScope.Verb.allCases.map(\.rawValue).joined(separator: ", ")
                report(block.fullName("verbs"), "unknown verb \"\(text)\"; known are \(known)", at: position)
            }
        }
        if verbs.isEmpty, block.place(of: "verbs") == nil {
            report(block.path, "verbs must name what the administrator may do", at: block.position)
        }
        var scope = AdminScope(
            verbs: verbs, spiffeIDs: prefixes("spiffe_id_prefixes", block),
            parentIDs: prefixes("parent_id_prefixes", block))
        if scope.spiffeIDs.isEmpty, block.place(of: "spiffe_id_prefixes") == nil {
            report(block.path, "spiffe_id_prefixes must name the paths of SPIFFE IDs that are covered", at: block.position)
        }
        let usesEntries = !verbs.isDisjoint(with: [.read, .create, .update, .delete])
        if usesEntries, scope.parentIDs.isEmpty, block.place(of: "parent_id_prefixes") == nil {
            report(block.path, "parent_id_prefixes must name the paths of parent IDs that are covered", at: block.position)
        }
        for (text, position) in values("required_selectors", block) {
            // A byte, not a letter: what follows may begin with a mark that a letter would swallow.
            let parts = text.utf8.split(separator: UInt8(ascii: ":"), maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty {
                scope.requiredSelectors.append(
                    Selector(type: String(Substring(parts[0])), value: String(Substring(parts[1]))))
            } else {
                report(
                    block.fullName("required_selectors"), "\"\(text)\" must be formatted as type:value", at: position)
            }
        }
        scope.dnsNames = values("dns_names", block).map { $0.0.lowercased() }
        for (text, position) in values("federates_with", block) {
            if let domain = try? TrustDomain(text) {
                scope.federatesWith.insert(domain)
            } else {
                report(block.fullName("federates_with"), "\"\(text)\" is not a trust domain", at: position)
            }
        }
        block.finish(section: "scoped_admin")
        return scope
    }

    private func values(_ key: String, _ block: HCLBlock) -> [(String, HCLPosition?)] {
        guard let setting = block.strings(key) else { return [] }
        return setting.value.map { ($0, setting.position) }
    }

    private func prefixes(_ key: String, _ block: HCLBlock) -> [AdminScope.PathPrefix] {
        values(key, block).compactMap { text, position in
            do throws(SpireError) {
                return try AdminScope.PathPrefix(text)
            } catch {
                report(block.fullName(key), error.message, at: position)
                return nil
            }
        }
    }
}
