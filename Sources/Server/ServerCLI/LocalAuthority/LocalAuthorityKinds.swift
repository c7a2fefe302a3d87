// SPDX-License-Identifier: Apache-2.0

import APIProtos
import CLISupport
import RPC
import SwiftProtobuf

/// The calls by which one kind of authority is shown and changed.
protocol LocalAuthorityKind: SendableMetatype {
    /// In command names: `x509` or `jwt`.
    static var word: String { get }
    static var kind: AuthorityText.Kind { get }

    static func states(_ client: RPCClient) async throws -> LocalAuthorityStates
    static func prepare(_ client: RPCClient) async throws -> AuthorityStateMessage
    static func activate(_ client: RPCClient, _ id: String) async throws -> AuthorityStateMessage
    static func taint(_ client: RPCClient, _ id: String) async throws -> AuthorityStateMessage
    static func revoke(_ client: RPCClient, _ id: String) async throws -> AuthorityStateMessage
}

struct LocalAuthorityStates: Sendable {
    let active: AuthorityStateMessage?
    let prepared: AuthorityStateMessage?
    let old: AuthorityStateMessage?
}

enum X509AuthorityCalls: LocalAuthorityKind {
    static let word = "x509"
    static let kind = AuthorityText.Kind.x509

    static func states(_ client: RPCClient) async throws -> LocalAuthorityStates {
        let all = try await client.unary(LocalAuthorityMethods.getX509AuthorityState, .init())
        return LocalAuthorityStates(
            active: all.hasActive ? all.active : nil, prepared: all.hasPrepared ? all.prepared : nil,
            old: all.hasOld ? all.old : nil)
    }

    static func prepare(_ client: RPCClient) async throws -> AuthorityStateMessage {
        try await client.unary(LocalAuthorityMethods.prepareX509Authority, .init()).preparedAuthority
    }

    static func activate(_ client: RPCClient, _ id: String) async throws -> AuthorityStateMessage {
        try await client.unary(LocalAuthorityMethods.activateX509Authority, .with { $0.authorityID = id })
            .activatedAuthority
    }

    static func taint(_ client: RPCClient, _ id: String) async throws -> AuthorityStateMessage {
        try await client.unary(LocalAuthorityMethods.taintX509Authority, .with { $0.authorityID = id })
            .taintedAuthority
    }

    static func revoke(_ client: RPCClient, _ id: String) async throws -> AuthorityStateMessage {
        try await client.unary(LocalAuthorityMethods.revokeX509Authority, .with { $0.authorityID = id })
            .revokedAuthority
    }
}

enum JWTAuthorityCalls: LocalAuthorityKind {
    static let word = "jwt"
    static let kind = AuthorityText.Kind.jwt

    static func states(_ client: RPCClient) async throws -> LocalAuthorityStates {
        let all = try await client.unary(LocalAuthorityMethods.getJWTAuthorityState, .init())
        return LocalAuthorityStates(
            active: all.hasActive ? all.active : nil, prepared: all.hasPrepared ? all.prepared : nil,
            old: all.hasOld ? all.old : nil)
    }

    static func prepare(_ client: RPCClient) async throws -> AuthorityStateMessage {
        try await client.unary(LocalAuthorityMethods.prepareJWTAuthority, .init()).preparedAuthority
    }

    static func activate(_ client: RPCClient, _ id: String) async throws -> AuthorityStateMessage {
        try await client.unary(LocalAuthorityMethods.activateJWTAuthority, .with { $0.authorityID = id })
            .activatedAuthority
    }

    static func taint(_ client: RPCClient, _ id: String) async throws -> AuthorityStateMessage {
        try await client.unary(LocalAuthorityMethods.taintJWTAuthority, .with { $0.authorityID = id })
            .taintedAuthority
    }

    static func revoke(_ client: RPCClient, _ id: String) async throws -> AuthorityStateMessage {
        try await client.unary(LocalAuthorityMethods.revokeJWTAuthority, .with { $0.authorityID = id })
            .revokedAuthority
    }
}
