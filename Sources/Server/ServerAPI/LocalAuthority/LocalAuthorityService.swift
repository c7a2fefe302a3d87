// SPDX-License-Identifier: Apache-2.0

import APIProtos
import Authority
import Groundwork
import Logging
package import RPC
import SwiftProtobuf

/// `spire.api.server.localauthority.v1.LocalAuthority`: forced rotation of this server's own authorities.
package struct LocalAuthorityService: APIService {
    let authorities: any LocalAuthorities

    package init(authorities: any LocalAuthorities) { self.authorities = authorities }

    package func add(to table: inout ServiceTable) {
        addX509(to: &table)
        addJWT(to: &table)
        table.serve(LocalAuthorityMethods.getWITAuthorityState) { _, _ in throw Self.withoutWIT }
        table.serve(LocalAuthorityMethods.prepareWITAuthority) { _, _ in throw Self.withoutWIT }
        table.serve(LocalAuthorityMethods.activateWITAuthority) { _, _ in throw Self.withoutWIT }
        table.serve(LocalAuthorityMethods.taintWITAuthority) { _, _ in throw Self.withoutWIT }
        table.serve(LocalAuthorityMethods.revokeWITAuthority) { _, _ in throw Self.withoutWIT }
    }

    private static let withoutWIT = APIFailure(.unimplemented, "WIT-SVID functionality is not yet implemented")

    /// Does `body`; what the authorities refuse becomes the call's failure, with the cause kept apart for the log.
    func asking<Value>(_ body: () async throws -> Value) async throws -> Value {
        do {
            return try await body()
        } catch let error as SpireError {
            let cause = error.cause.map { APIFailure.text(of: $0) }
            throw APIFailure(
                APIFailure.code(of: error), error.message, cause: cause.flatMap { error.message.contains($0) ? nil : $0 })
        }
    }

    static func proto(_ state: AuthorityState) -> Spire_Api_Server_Localauthority_V1_AuthorityState {
        .with {
            $0.authorityID = state.authorityID
            $0.expiresAt = state.expiresAt
            $0.upstreamAuthoritySubjectKeyID = state.upstreamAuthoritySubjectKeyID
        }
    }

    static func auditID(_ id: String) -> Logger.Metadata { id.isEmpty ? [:] : [LogKey.localAuthorityID: "\(id)"] }
}
