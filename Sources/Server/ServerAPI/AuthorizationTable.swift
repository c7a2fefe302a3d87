// SPDX-License-Identifier: Apache-2.0

import APIProtos
package import RPC

/// Kinds of callers a method may be open to.
package struct CallerClasses: OptionSet, Sendable, Hashable {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }
    package static let anyone = CallerClasses(rawValue: 1 << 0)
    /// Connected to the admin socket.
    package static let local = CallerClasses(rawValue: 1 << 1)
    /// An ID of `admin_ids`, or one with an admin entry.
    package static let admin = CallerClasses(rawValue: 1 << 2)
    /// An attested agent with its active certificate.
    package static let agent = CallerClasses(rawValue: 1 << 3)
    /// An ID with a downstream entry.
    package static let downstream = CallerClasses(rawValue: 1 << 4)
    package static let operators: CallerClasses = [.local, .admin]
}

/// The token buckets callers draw from. Methods that name the same bucket share it.
package enum RateBucket: Sendable, Hashable, CaseIterable {
    case attestation, signing, jwtSigning, witSigning, keyPublishing, postStatus

    /// Tokens a second and address, and the most that can be saved up.
    package var rate: Int {
        switch self {
        case .attestation: 1
        case .signing, .jwtSigning, .witSigning, .keyPublishing: 500
        case .postStatus: 10
        }
    }
}

/// What a method's rate limit is and how its refusal reads.
package struct RateRule: Sendable, Hashable {
    package let bucket: RateBucket
    /// Begins the text of a refusal.
    package let refusal: String
    /// Whether the handler names the cost itself, because it depends on the request.
    package let costFromRequest: Bool

    package init(_ bucket: RateBucket, _ refusal: String, costFromRequest: Bool = false) {
        self.bucket = bucket
        self.refusal = "rejecting request due to \(refusal)"
        self.costFromRequest = costFromRequest
    }
}

/// One method's rules.
package struct AuthorizationRow: Sendable {
    package let method: MethodPath
    package let callers: CallerClasses
    package let rate: RateRule?
    package let isAudited: Bool
}

/// Who may call what, at which rate, and whether it is audited: one row a method, read by the `Authorizer`.
package struct AuthorizationTable: Sendable {
    package let rows: [String: AuthorizationRow]

    package subscript(method: MethodPath) -> AuthorizationRow? { rows[method.description] }

    init(_ rows: [AuthorizationRow]) {
        self.rows = Dictionary(uniqueKeysWithValues: rows.map { ($0.method.description, $0) })
    }

    /// SPIRE's default policy.
    package static let standard = AuthorizationTable(
        agentRows + bundleRows + entryRows + svidRows + trustDomainRows + localAuthorityRows + localRows + ownRows)

    private static func row(
        _ method: MethodPath, _ callers: CallerClasses, _ rate: RateRule? = nil, audited: Bool = true
    ) -> AuthorizationRow {
        AuthorizationRow(method: method, callers: callers, rate: rate, isAudited: audited)
    }

    private static let agentRows: [AuthorizationRow] = [
        row(AgentMethods.countAgents.path, .operators),
        row(AgentMethods.listAgents.path, .operators),
        row(AgentMethods.getAgent.path, .operators),
        row(AgentMethods.deleteAgent.path, .operators),
        row(AgentMethods.banAgent.path, .operators),
        row(AgentMethods.attestAgent.path, .anyone, RateRule(.attestation, "attest agent rate limiting")),
        row(AgentMethods.renewAgent.path, .agent, RateRule(.signing, "renew agent rate limiting")),
        row(AgentMethods.createJoinToken.path, .operators),
        row(AgentMethods.postStatus.path, .agent, RateRule(.postStatus, "post status rate limiting")),
    ]

    private static let bundleRows: [AuthorizationRow] = [
        row(BundleMethods.countBundles.path, .operators),
        row(BundleMethods.getBundle.path, .anyone),
        row(BundleMethods.appendBundle.path, .operators),
        row(
            BundleMethods.publishJWTAuthority.path, .downstream,
            RateRule(.keyPublishing, "key publishing rate limiting")),
        row(
            BundleMethods.publishWITAuthority.path, .downstream,
            RateRule(.keyPublishing, "key publishing rate limiting")),
        row(BundleMethods.listFederatedBundles.path, .operators),
        row(BundleMethods.getFederatedBundle.path, [.local, .admin, .agent]),
        row(BundleMethods.batchCreateFederatedBundle.path, .operators),
        row(BundleMethods.batchUpdateFederatedBundle.path, .operators),
        row(BundleMethods.batchSetFederatedBundle.path, .operators),
        row(BundleMethods.batchDeleteFederatedBundle.path, .operators),
    ]

    private static let entryRows: [AuthorizationRow] = [
        row(EntryMethods.countEntries.path, .operators),
        row(EntryMethods.listEntries.path, .operators),
        row(EntryMethods.getEntry.path, .operators),
        row(EntryMethods.batchCreateEntry.path, .operators),
        row(EntryMethods.batchUpdateEntry.path, .operators),
        row(EntryMethods.batchDeleteEntry.path, .operators),
        row(EntryMethods.getAuthorizedEntries.path, .agent),
        row(EntryMethods.syncAuthorizedEntries.path, .agent),
    ]

    private static let svidRows: [AuthorizationRow] = [
        row(SVIDMethods.mintX509SVID.path, .operators),
        row(SVIDMethods.mintJWTSVID.path, .operators),
        row(SVIDMethods.mintWITSVID.path, .operators),
        row(
            SVIDMethods.batchNewX509SVID.path, .agent,
            RateRule(.signing, "certificate signing rate limiting", costFromRequest: true)),
        row(SVIDMethods.newJWTSVID.path, .agent, RateRule(.jwtSigning, "JWT signing request rate limiting")),
        row(
            SVIDMethods.batchNewWITSVID.path, .agent,
            RateRule(.witSigning, "certificate signing rate limiting", costFromRequest: true)),
        row(
            SVIDMethods.newDownstreamX509CA.path, .downstream, RateRule(.signing, "downstream CA signing rate limit")),
    ]

    private static let trustDomainRows: [AuthorizationRow] = TrustDomainMethods.all.map { row($0, .operators) }

    private static let localAuthorityRows: [AuthorizationRow] = LocalAuthorityMethods.all.map { row($0, .operators) }

    private static let localRows: [AuthorizationRow] =
        LoggerMethods.all.map { row($0, .local) } + DebugMethods.all.map { row($0, .local) }
        + HealthMethods.all.map { row($0, .local, audited: false) }

    /// Services SPIRE does not have, open to those who may read and write entries anyway.
    private static let ownRows: [AuthorizationRow] =
        EntrySetMethods.all.map { row($0, .operators) } + ExplainMethods.all.map { row($0, .operators) }
}
