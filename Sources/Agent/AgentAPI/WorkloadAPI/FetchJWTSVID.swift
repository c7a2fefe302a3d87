// SPDX-License-Identifier: Apache-2.0

import AgentCore
import FoundationEssentials
import Groundwork
import Logging
import RPC
import SPIFFE
import WorkloadProtos

extension WorkloadAPI {
    /// Returns a token for each of the caller's identities, or for the one it names.
    func fetchJWTSVID(_ request: Workload_JWTSVIDRequest, _ context: RPCContext) async throws -> Workload_JWTSVIDResponse {
        guard !request.audience.isEmpty else {
            throw RPCStatus(.invalidArgument, "audience must be specified")
        }
        var wanted: SPIFFEID?
        if !request.spiffeID.isEmpty {
            do {
                wanted = try SPIFFEID(request.spiffeID)
            } catch {
                throw RPCStatus(.invalidArgument, "invalid requested SPIFFE ID: \(error.message)")
            }
        }
        let caller = try await attest(context)
        let entries = WorkloadMessages.keep(keeper.entries(matching: caller.selectors), logger)
        var response = Workload_JWTSVIDResponse()
        for entry in entries where wanted == nil || wanted == entry.spiffeID {
            var svid = Workload_JWTSVID()
            svid.spiffeID = entry.spiffeID.description
            svid.svid = try await token(entry, request.audience, context, caller)
            svid.hint = entry.hint
            response.svids.append(svid)
        }
        guard !response.svids.isEmpty else { throw denied(context, caller) }
        return response
    }

    private func token(
        _ entry: AgentEntry, _ audience: [String], _ context: RPCContext, _ caller: Caller
    ) async throws -> String {
        let jwt: WorkloadJWT
        if let cached = keeper.cachedJWT(for: entry, audience: audience) {
            jwt = cached
        } else {
            do {
                jwt = try await keeper.jwt(for: entry, audience: audience)
            } catch let error as CancellationError {
                throw error
            } catch {
                var metadata = fields(context, caller.pid)
                metadata[LogKey.spiffeID] = "\(entry.spiffeID)"
                metadata[LogKey.error] = "\(error)"
                logger.error("Could not fetch JWT-SVID", metadata: metadata)
                throw RPCStatus(.unavailable, "could not fetch JWT-SVID: \(error)")
            }
        }
        if logger.logLevel <= .debug {
            var metadata = fields(context, caller.pid)
            metadata["registered"] = "true"
            metadata[LogKey.spiffeID] = "\(entry.spiffeID)"
            metadata["ttl"] = "\(jwt.expiresAt.timeIntervalSince(time.now))"
            logger.debug("Fetched JWT SVID", metadata: metadata)
        }
        return jwt.token
    }
}
