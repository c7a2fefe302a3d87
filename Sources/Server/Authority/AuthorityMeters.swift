// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Groundwork
import Telemetry

/// What is counted about authorities, under the original's names.
struct AuthorityMeters: Sendable {
    let x509Prepared: CallCounter
    let jwtPrepared: CallCounter
    let witPrepared: CallCounter
    let pruned: CallCounter
    let changed: Counter
    let x509SVIDs: Counter
    let x509CAs: Counter
    let jwtSVIDs: Counter
    private let x509Activated: Counter
    private let jwtActivated: Counter
    private let witActivated: Counter
    private let expiration: Gauge
    private let ttl: Gauge

    init(_ meter: Meter, trustDomain: String) {
        x509Prepared = meter.call(["ca", "manager", "x509_ca", "prepare"])
        jwtPrepared = meter.call(["ca", "manager", "jwt_key", "prepare"])
        witPrepared = meter.call(["ca", "manager", "wit_key", "prepare"])
        pruned = meter.call(["ca", "manager", "bundle", "prune"])
        changed = meter.counter(["ca", "manager", "bundle", "pruned"])
        x509SVIDs = meter.counter(["server_ca", "sign", "x509_svid"])
        x509CAs = meter.counter(["server_ca", "sign", "x509_ca_svid"])
        jwtSVIDs = meter.counter(["server_ca", "sign", "jwt_svid"])
        x509Activated = meter.counter(["ca", "manager", "x509_ca", "activate"])
        // The original's prefixes differ.
        jwtActivated = meter.counter(["manager", "jwt_key", "activate"])
        witActivated = meter.counter(["manager", "wit_key", "activate"])
        let labels = [("trust_domain_id", trustDomain)]
        expiration = meter.gauge(["manager", "x509_ca", "rotate", "expiration"], labels)
        ttl = meter.gauge(["manager", "x509_ca", "rotate", "ttl"], labels)
    }

    func activated(_ kind: AuthorityKind, until expires: Date, now: Date) {
        switch kind {
        case .x509:
            x509Activated.add()
            expiration.set(expires.timeIntervalSince1970)
            ttl.set(expires.timeIntervalSince(now))
        case .jwt: jwtActivated.add()
        case .wit: witActivated.add()
        }
    }
}
