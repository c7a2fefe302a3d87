// SPDX-License-Identifier: Apache-2.0

package import APIProtos
import Authority
import Groundwork
import Logging
import RPC
import SwiftProtobuf

extension LocalAuthorityService {
    func addJWT(to table: inout ServiceTable) {
        table.serve(LocalAuthorityMethods.getJWTAuthorityState, jwtState)
        table.serve(LocalAuthorityMethods.prepareJWTAuthority, prepareJWT)
        table.serve(LocalAuthorityMethods.activateJWTAuthority, activateJWT)
        table.serve(LocalAuthorityMethods.taintJWTAuthority, taintJWT)
        table.serve(LocalAuthorityMethods.revokeJWTAuthority, revokeJWT)
    }

    package func jwtState(
        _ request: Spire_Api_Server_Localauthority_V1_GetJWTAuthorityStateRequest, _ call: Call
    ) async throws -> Spire_Api_Server_Localauthority_V1_GetJWTAuthorityStateResponse {
        let states = try await asking { try authorities.states(.jwt) }
        return .with {
            $0.active = Self.proto(states.active)
            if let prepared = states.prepared { $0.prepared = Self.proto(prepared) }
            if let old = states.old { $0.old = Self.proto(old) }
        }
    }

    package func prepareJWT(
        _ request: Spire_Api_Server_Localauthority_V1_PrepareJWTAuthorityRequest, _ call: Call
    ) async throws -> Spire_Api_Server_Localauthority_V1_PrepareJWTAuthorityResponse {
        let state = try await asking { try await authorities.prepareAuthority(.jwt) }
        call.audit(Self.auditID(state.authorityID))
        return .with { $0.preparedAuthority = Self.proto(state) }
    }

    package func activateJWT(
        _ request: Spire_Api_Server_Localauthority_V1_ActivateJWTAuthorityRequest, _ call: Call
    ) async throws -> Spire_Api_Server_Localauthority_V1_ActivateJWTAuthorityResponse {
        call.audit(Self.auditID(request.authorityID))
        let state = try await asking { try await authorities.activateAuthority(.jwt, id: request.authorityID) }
        return .with { $0.activatedAuthority = Self.proto(state) }
    }

    package func taintJWT(
        _ request: Spire_Api_Server_Localauthority_V1_TaintJWTAuthorityRequest, _ call: Call
    ) async throws -> Spire_Api_Server_Localauthority_V1_TaintJWTAuthorityResponse {
        call.audit(Self.auditID(request.authorityID))
        let state = try await asking { try await authorities.taintJWTAuthority(id: request.authorityID) }
        return .with { $0.taintedAuthority = Self.proto(state) }
    }

    package func revokeJWT(
        _ request: Spire_Api_Server_Localauthority_V1_RevokeJWTAuthorityRequest, _ call: Call
    ) async throws -> Spire_Api_Server_Localauthority_V1_RevokeJWTAuthorityResponse {
        call.audit(Self.auditID(request.authorityID))
        let state = try await asking { try await authorities.revokeJWTAuthority(id: request.authorityID) }
        return .with { $0.revokedAuthority = Self.proto(state) }
    }
}
