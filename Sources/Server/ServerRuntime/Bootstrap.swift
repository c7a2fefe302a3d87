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

    /// Sees to the process itself: what its files are open to, how many it may open, which signals it survives.
    static func prepareProcess(_ logger: Logger) {
        tightenUmask(logger)
        raiseFileLimit()
        // Asks the original to read plugin files again. There are none to read, but it must not end the server.
        _ = signal(SIGUSR1, SIG_IGN)
    }

    /// Lets SIGUSR1 through to whoever is about to listen for it: a signal that is ignored reaches nobody.
    static func admitDumpSignal() { _ = signal(SIGUSR1, SIG_DFL) }

    /// Every agent is a connection: takes as many files as the system lets this process have.
    private static func raiseFileLimit() {
        var limit = rlimit()
        guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }

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
