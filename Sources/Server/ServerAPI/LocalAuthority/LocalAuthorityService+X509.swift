// SPDX-License-Identifier: Apache-2.0

package import APIProtos
import Authority
import Groundwork
import Logging
import RPC
import SwiftProtobuf

extension LocalAuthorityService {
    func addX509(to table: inout ServiceTable) {
        table.serve(LocalAuthorityMethods.getX509AuthorityState, x509State)
        table.serve(LocalAuthorityMethods.prepareX509Authority, prepareX509)
        table.serve(LocalAuthorityMethods.activateX509Authority, activateX509)
        table.serve(LocalAuthorityMethods.taintX509Authority, taintX509)
        table.serve(LocalAuthorityMethods.revokeX509Authority, revokeX509)
        table.serve(LocalAuthorityMethods.taintX509UpstreamAuthority, taintX509Upstream)
        table.serve(LocalAuthorityMethods.revokeX509UpstreamAuthority, revokeX509Upstream)
    }

    package func x509State(
        _ request: Spire_Api_Server_Localauthority_V1_GetX509AuthorityStateRequest, _ call: Call
    ) async throws -> Spire_Api_Server_Localauthority_V1_GetX509AuthorityStateResponse {
        let states = try await asking { try authorities.states(.x509) }
        return .with {
            $0.active = Self.proto(states.active)
            if let prepared = states.prepared { $0.prepared = Self.proto(prepared) }
            if let old = states.old { $0.old = Self.proto(old) }
        }
    }

    package func prepareX509(
        _ request: Spire_Api_Server_Localauthority_V1_PrepareX509AuthorityRequest, _ call: Call
    ) async throws -> Spire_Api_Server_Localauthority_V1_PrepareX509AuthorityResponse {
        let state = try await asking { try await authorities.prepareAuthority(.x509) }
        call.audit(Self.auditID(state.authorityID))
        return .with { $0.preparedAuthority = Self.proto(state) }
    }

    package func activateX509(
        _ request: Spire_Api_Server_Localauthority_V1_ActivateX509AuthorityRequest, _ call: Call
    ) async throws -> Spire_Api_Server_Localauthority_V1_ActivateX509AuthorityResponse {
        call.audit(Self.auditID(request.authorityID))
        let state = try await asking { try await authorities.activateAuthority(.x509, id: request.authorityID) }
        return .with { $0.activatedAuthority = Self.proto(state) }
    }

    package func taintX509(
        _ request: Spire_Api_Server_Localauthority_V1_TaintX509AuthorityRequest, _ call: Call
    ) async throws -> Spire_Api_Server_Localauthority_V1_TaintX509AuthorityResponse {
        call.audit(Self.auditID(request.authorityID))
        let state = try await asking { try await authorities.taintX509Authority(id: request.authorityID) }
        return .with { $0.taintedAuthority = Self.proto(state) }
    }

    package func revokeX509(
        _ request: Spire_Api_Server_Localauthority_V1_RevokeX509AuthorityRequest, _ call: Call
    ) async throws -> Spire_Api_Server_Localauthority_V1_RevokeX509AuthorityResponse {
        call.audit(Self.auditID(request.authorityID))
        let state = try await asking { try await authorities.revokeX509Authority(id: request.authorityID) }
        return .with { $0.revokedAuthority = Self.proto(state) }
    }

    package func taintX509Upstream(
        _ request: Spire_Api_Server_Localauthority_V1_TaintX509UpstreamAuthorityRequest, _ call: Call
    ) async throws -> Spire_Api_Server_Localauthority_V1_TaintX509UpstreamAuthorityResponse {
        call.audit(request.subjectKeyID.isEmpty ? [:] : ["subject_key_id": "\(request.subjectKeyID)"])
        try await asking { try await authorities.taintX509UpstreamAuthority(subjectKeyID: request.subjectKeyID) }
        return .with { $0.upstreamAuthoritySubjectKeyID = request.subjectKeyID }
    }

    package func revokeX509Upstream(
        _ request: Spire_Api_Server_Localauthority_V1_RevokeX509UpstreamAuthorityRequest, _ call: Call
    ) async throws -> Spire_Api_Server_Localauthority_V1_RevokeX509UpstreamAuthorityResponse {
        call.audit(request.subjectKeyID.isEmpty ? [:] : ["subject_key_id": "\(request.subjectKeyID)"])
        try await asking { try await authorities.revokeX509UpstreamAuthority(subjectKeyID: request.subjectKeyID) }
        return .with { $0.upstreamAuthoritySubjectKeyID = request.subjectKeyID }
    }
}
