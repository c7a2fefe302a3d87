// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import NIOCore
import NIOPosix
import RPC
import SPIFFE
import SPIFFETesting
import Synchronization
import SwiftProtobuf
import WorkloadProtos

@testable import SPIFFEWorkloadAPI

/// A Workload API on a real Unix socket, in this process.
final class InProcessAPI: Sendable {
    struct State {
        var ca: ThrowawayCA
        var denied = false
        var version = 0
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let state: Mutex<State>

    init(_ ca: ThrowawayCA) { state = Mutex(State(ca: ca)) }

    func change(_ body: (inout State) -> Void) {
        let waiters = state.withLock { state in
            body(&state)
            state.version += 1
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    private func check(_ context: RPCContext) throws -> ThrowawayCA {
        guard context.metadata["workload.spiffe.io"] == ["true"] else {
            throw RPCStatus(.invalidArgument, "security header missing from request")
        }
        return try state.withLock { state in
            if state.denied { throw RPCStatus(.permissionDenied, "no identity issued") }
            return state.ca
        }
    }

    /// Sends a message now and after each change.
    private func stream<Response>(
        _ writer: ResponseWriter<Response>, _ context: RPCContext, _ message: (ThrowawayCA) throws -> Response
    ) async throws {
        while !Task.isCancelled {
            let seen = state.withLock { $0.version }
            try await writer.send(message(check(context)))
            await withCheckedContinuation { continuation in
                let isReady = state.withLock { state in
                    if state.version != seen { return true }
                    state.waiters.append(continuation)
                    return false
                }
                if isReady { continuation.resume() }
            }
        }
    }

    var services: ServiceTable {
        var table = ServiceTable()
        table.serverStreaming(WorkloadAPIMethods.fetchX509SVID) { _, writer, context in
            try await self.stream(writer, context) { ca in
                var response = Workload_X509SVIDResponse()
                for path in ["/web", "/db"] {
                    let svid = try ca.x509SVID(path)
                    var message = Workload_X509SVID()
                    message.spiffeID = svid.id.description
                    message.x509Svid = Data(svid.chain.flatMap(\.der))
                    message.x509SvidKey = Data(svid.privateKey.pkcs8)
                    message.bundle = Data(ca.bundle.x509Bundle.der)
                    response.svids.append(message)
                }
                return response
            }
        }
        table.serverStreaming(WorkloadAPIMethods.fetchX509Bundles) { _, writer, context in
            try await self.stream(writer, context) { ca in
                var response = Workload_X509BundlesResponse()
                response.bundles[ca.trustDomain.id.description] = Data(ca.bundle.x509Bundle.der)
                return response
            }
        }
        table.serverStreaming(WorkloadAPIMethods.fetchJWTBundles) { _, writer, context in
            try await self.stream(writer, context) { ca in
                var response = Workload_JWTBundlesResponse()
                response.bundles[ca.trustDomain.id.description] = Data(try ca.bundle.jwtBundle.jwks())
                return response
            }
        }
        table.unary(WorkloadAPIMethods.fetchJWTSVID) { request, context in
            let ca = try self.check(context)
            if request.audience.isEmpty { throw RPCStatus(.invalidArgument, "audience must be specified") }
            var response = Workload_JWTSVIDResponse()
            for path in ["/web", "/db"] where request.spiffeID.isEmpty || request.spiffeID.hasSuffix(path) {
                var message = Workload_JWTSVID()
                message.svid = try ca.jwtToken(path, audience: request.audience)
                response.svids.append(message)
            }
            return response
        }
        table.unary(WorkloadAPIMethods.validateJWTSVID) { request, context in
            let ca = try self.check(context)
            do {
                let svid = try JWTSVID.parseAndVerify(
                    request.svid, audience: [request.audience], bundles: ca.bundle, at: Date())
                var response = Workload_ValidateJWTSVIDResponse()
                response.spiffeID = svid.id.description
                return response
            } catch {
                throw RPCStatus(.invalidArgument, "\(error)")
            }
        }
        return table
    }

    /// Serves on a fresh socket for the time of `body`.
    @discardableResult
    func serving<Result>(_ path: String, _ body: () async throws -> Result) async throws -> Result {
        let server = RPCServer(services: services)
        let listener = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .childChannelInitializer { server.serve(on: $0, peer: "test") }
            .bind(unixDomainSocketPath: path, cleanupExistingSocketFile: true).get()
        let outcome: Swift.Result<Result, any Error>
        do {
            outcome = .success(try await body())
        } catch {
            outcome = .failure(error)
        }
        try? await listener.close()
        change { _ in }
        await server.drain(within: .zero)
        return try outcome.get()
    }
}
