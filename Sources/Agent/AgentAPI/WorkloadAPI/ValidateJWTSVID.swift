// SPDX-License-Identifier: Apache-2.0

import AgentCore
import Groundwork
import Logging
import RPC
import SPIFFE
import SwiftProtobuf
import WorkloadProtos

extension WorkloadAPI {
    /// Validates a token somebody showed to the caller, with the keys the caller may validate with.
    func validateJWTSVID(
        _ request: Workload_ValidateJWTSVIDRequest, _ context: RPCContext
    ) async throws -> Workload_ValidateJWTSVIDResponse {
        guard !request.audience.isEmpty else { throw RPCStatus(.invalidArgument, "audience must be specified") }
        guard !request.svid.isEmpty else { throw RPCStatus(.invalidArgument, "svid must be specified") }
        let caller = try await attest(context)
        let update = keeper.update(for: caller.selectors)
        let bundles = BundleSet(jwt: ([update.bundle] + update.federated).map(WorkloadMessages.jwtBundle))
        var metadata = fields(context, caller.pid)
        metadata[LogKey.audience] = "\(request.audience)"
        let svid: JWTSVID
        do {
            svid = try JWTSVID.parseAndVerify(
                request.svid, audience: [request.audience], bundles: bundles, at: time.now)
        } catch {
            metadata[LogKey.error] = "\(error)"
            logger.warning("Failed to validate JWT", metadata: metadata)
            throw RPCStatus(.invalidArgument, "\(error)")
        }
        metadata[LogKey.spiffeID] = "\(svid.id)"
        logger.debug("Successfully validated JWT", metadata: metadata)
        var response = Workload_ValidateJWTSVIDResponse()
        response.spiffeID = svid.id.description
        response.claims = claims(of: svid, isForeign: svid.id.trustDomain != update.bundle.trustDomain)
        return response
    }

    private func claims(of svid: JWTSVID, isForeign: Bool) -> Google_Protobuf_Struct {
        var claims = Google_Protobuf_Struct()
        for member in svid.claims.members {
            let isAlwaysShown = member.name == "sub" || member.name == "exp" || member.name == "aud"
            guard !isForeign || isAlwaysShown || configuration.foreignClaims.contains(member.name) else { continue }
            claims.fields[member.name] = Self.value(member.value, depth: 0)
        }
        // A single audience may be written as a string; callers always get a list.
        if case .string(let one)? = svid.claims["aud"] {
            claims.fields["aud"] = Self.value(.array([.string(one)]), depth: 0)
        }
        return claims
    }

    private static func value(_ json: JSONValue, depth: Int) -> Google_Protobuf_Value {
        // Deeper than any claim needs, and less deep than a decoder on the other side allows.
        var null = Google_Protobuf_Value()
        null.nullValue = .nullValue
        guard depth < 32 else { return null }
        switch json {
        case .null: return null
        case .bool(let flag): return Google_Protobuf_Value(boolValue: flag)
        case .number(let digits): return Google_Protobuf_Value(numberValue: Double(digits) ?? 0)
        case .string(let text): return Google_Protobuf_Value(stringValue: text)
        case .array(let elements):
            return Google_Protobuf_Value(
                listValue: Google_Protobuf_ListValue(values: elements.map { value($0, depth: depth + 1) }))
        case .object(let object):
            var fields: [String: Google_Protobuf_Value] = [:]
            for member in object.members { fields[member.name] = value(member.value, depth: depth + 1) }
            return Google_Protobuf_Value(structValue: Google_Protobuf_Struct(fields: fields))
        }
    }
}
