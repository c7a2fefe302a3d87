// SPDX-License-Identifier: Apache-2.0

import Datastore
import Groundwork
import Logging
import SPIFFE

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// What is seen to before anything is built.
enum Bootstrap {
    /// Bits no file of the server may be created with.
    private static let forbidden: mode_t = 0o027

    /// Tightens the process's umask, if it lets others read what the server writes.
    static func tightenUmask(_ logger: Logger) {
        let current = umask(forbidden)
        let wanted = current | forbidden
        _ = umask(wanted)
        guard wanted != current else { return }
        logger.warning("Current umask \(octal(current)) is too permissive; setting umask \(octal(wanted))")
    }

    private static func octal(_ mode: mode_t) -> String {
        let digits = String(mode, radix: 8)
        return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }

    /// Refuses a datastore whose entries belong to another trust domain; agents of another one are only remarked on.
    static func checkTrustDomain(
        _ store: any EntryReader & NodeReader, _ trustDomain: TrustDomain, _ logger: Logger
    ) async throws {
        let first = PageRequest(size: 1)
        if let entry = try await store.listEntries(EntryFilter(), page: first).items.first,
            let id = try? SPIFFEID(entry.spiffeID), id.trustDomain != trustDomain
        {
            throw SpireError(
                .foreignDatastore,
                "a registration entry with trust domain '\(id.trustDomain)' has been detected, which does not match the configured trust domain of '\(trustDomain)'. If you want to change the trust domain, please delete all existing registration entries"
            )
        }
        if let node = try await store.listNodes(NodeFilter(), page: first, withSelectors: false).items.first,
            let id = try? SPIFFEID(node.spiffeID), id.trustDomain != trustDomain
        {
            logger.warning(
                "An agent with trust domain '\(id.trustDomain)' has been detected, which does not match the configured trust domain of '\(trustDomain)'. Agents need to be reconfigured to use new trust domain"
            )
        }
    }
}
