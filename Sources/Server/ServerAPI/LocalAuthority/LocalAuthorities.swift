// SPDX-License-Identifier: Apache-2.0

package import Authority

/// What an operator may do with a server's own authorities.
package protocol LocalAuthorities: Sendable {
    func states(_ kind: AuthorityKind) throws -> LocalAuthorityStates
    func prepareAuthority(_ kind: AuthorityKind) async throws -> AuthorityState
    func activateAuthority(_ kind: AuthorityKind, id: String) async throws -> AuthorityState
    func taintX509Authority(id: String) async throws -> AuthorityState
    func revokeX509Authority(id: String) async throws -> AuthorityState
    func taintJWTAuthority(id: String) async throws -> AuthorityState
    func revokeJWTAuthority(id: String) async throws -> AuthorityState
    func taintX509UpstreamAuthority(subjectKeyID: String) async throws
    func revokeX509UpstreamAuthority(subjectKeyID: String) async throws
}

extension AuthorityService: LocalAuthorities {}
