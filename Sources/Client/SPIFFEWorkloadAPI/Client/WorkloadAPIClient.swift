// SPDX-License-Identifier: Apache-2.0

public import NIOCore
public import NIOPosix
import RPC
public import SPIFFE
import SwiftProtobuf
import WorkloadProtos

/// Calls the Workload API. One connection, made with the first call and again after it ended.
///
/// Most programs want ``X509Source``, ``JWTSource`` or ``BundleSource`` instead, which stay up to date by themselves.
/// Cancelling the calling task cancels a call.
/// > Spec: Workload API; Workload Endpoint §3.
public final class WorkloadAPIClient: Sendable {
    /// Where it connects to.
    public let endpoint: WorkloadAPIEndpoint

    private let rpc: RPCClient
    let timing: SourceTiming

    /// - Parameters:
    ///   - endpoint: Where the Workload API listens; `nil` to ask the environment.
    ///   - group: The event loops to connect on.
    /// - Throws: `invalid_endpoint`.
    public convenience init(
        endpoint: WorkloadAPIEndpoint? = nil,
        group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton
    ) throws {
        self.init(endpoint: try endpoint ?? .fromEnvironment(), group: group, timing: .system)
    }

    init(endpoint: WorkloadAPIEndpoint, group: any EventLoopGroup, timing: SourceTiming) {
        self.endpoint = endpoint
        self.timing = timing
        rpc = RPCClient(group: group) { loop in
            let bootstrap = ClientBootstrap(group: loop)
            let connected =
                switch endpoint {
                case .unix(let path): bootstrap.connect(unixDomainSocketPath: path)
                case .tcp(let address, let port): bootstrap.connect(host: address, port: port)
                }
            return connected.flatMapErrorThrowing { throw SPIFFEError(.workloadAPI, "dial \(endpoint): \($0)") }
        }
    }

    /// Ends the connection. Open calls fail with `cancelled`, and so do later ones.
    public func close() async { await rpc.close() }

    // MARK: X.509

    /// Fetches the identities of this process and the bundles to verify others with.
    /// - Throws: `WorkloadAPIFailure`; `SPIFFEError` when the answer is malformed.
    public func fetchX509Context() async throws -> X509Context {
        try await first { try await followX509Contexts($0) }
    }

    /// Fetches the X.509 bundles of this process's trust domain and of federated ones.
    /// - Throws: `WorkloadAPIFailure`; `SPIFFEError` when the answer is malformed.
    public func fetchX509Bundles() async throws -> BundleSet {
        try await first { try await followX509Bundles($0) }
    }

    /// Hands every update of the X.509 context to `body`, the current one at once, until `body` throws, the task is
    /// cancelled or the stream ends. Does not reconnect: ``X509Source`` does.
    /// - Throws: what `body` throws; `WorkloadAPIFailure`; `SPIFFEError` when an update is malformed.
    public func followX509Contexts(_ body: (X509Context) async throws -> Void) async throws {
        try await follow(WorkloadAPIMethods.fetchX509SVID, Workload_X509SVIDRequest()) {
            try await body(X509Context($0))
        }
    }

    /// The same for X.509 bundles.
    public func followX509Bundles(_ body: (BundleSet) async throws -> Void) async throws {
        try await follow(WorkloadAPIMethods.fetchX509Bundles, Workload_X509BundlesRequest()) { response in
            guard !response.bundles.isEmpty else { throw SPIFFEError(.workloadAPI, "no bundles in response") }
            var bundles = BundleSet()
            for (name, der) in response.bundles { bundles.set(try X509Context.bundle(TrustDomain(name), der)) }
            try await body(bundles)
        }
    }

    // MARK: JWT

    /// Fetches JWT-SVIDs for an audience.
    /// - Parameters:
    ///   - audience: At least one name; for tokens, fewer is safer.
    ///   - subject: Which identity; `nil` for all of this process.
    /// - Returns: At least one, the default identity's first.
    /// - Throws: `WorkloadAPIFailure`; `SPIFFEError` when the answer is malformed.
    public func fetchJWTSVIDs(audience: [String], subject: SPIFFEID? = nil) async throws -> [JWTSVID] {
        var request = Workload_JWTSVIDRequest()
        request.audience = audience
        request.spiffeID = subject?.description ?? ""
        let response = try await call(WorkloadAPIMethods.fetchJWTSVID, request)
        var hints: Set<String> = []
        var svids: [JWTSVID] = []
        for message in response.svids {
            let svid = try JWTSVID.parseInsecure(
                message.svid, audience: audience, hint: message.hint, at: timing.now())
            if svid.hint.isEmpty || hints.insert(svid.hint).inserted { svids.append(svid) }
        }
        guard !svids.isEmpty else { throw SPIFFEError(.workloadAPI, "there were no SVIDs in the response") }
        return svids
    }

    /// Fetches the JWT bundles of this process's trust domain and of federated ones.
    /// - Throws: `WorkloadAPIFailure`; `SPIFFEError` when the answer is malformed.
    public func fetchJWTBundles() async throws -> BundleSet {
        try await first { try await followJWTBundles($0) }
    }

    /// Hands every update of the JWT bundles to `body`, the current ones at once. Does not reconnect.
    /// - Throws: as ``followX509Contexts(_:)``.
    public func followJWTBundles(_ body: (BundleSet) async throws -> Void) async throws {
        try await follow(WorkloadAPIMethods.fetchJWTBundles, Workload_JWTBundlesRequest()) { response in
            guard !response.bundles.isEmpty else { throw SPIFFEError(.workloadAPI, "no bundles in response") }
            var bundles = BundleSet()
            for (name, jwks) in response.bundles {
                bundles.set(try JWTBundle(TrustDomain(name), jwks: Array(jwks)))
            }
            try await body(bundles)
        }
    }

    /// Has the Workload API validate a token somebody presented.
    /// - Parameter audience: This service's name, which the token must be for.
    /// - Throws: `WorkloadAPIFailure` with `invalidArgument` when the token is not valid.
    public func validateJWTSVID(_ token: String, audience: String) async throws -> JWTSVID {
        var request = Workload_ValidateJWTSVIDRequest()
        request.audience = audience
        request.svid = token
        let response = try await call(WorkloadAPIMethods.validateJWTSVID, request)
        let svid = try JWTSVID.parseInsecure(token, audience: [audience], at: timing.now())
        guard response.spiffeID == svid.id.description else {
            throw SPIFFEError(.workloadAPI, "the token was validated as another identity")
        }
        return svid
    }

    // MARK: Plumbing

    /// Ends a stream after its first message.
    private struct Enough: Error {}

    private func first<Value>(_ follow: ((Value) async throws -> Void) async throws -> Void) async throws -> Value {
        var value: Value?
        do {
            try await follow {
                value = $0
                throw Enough()
            }
        } catch is Enough {}
        guard let value else { throw SPIFFEError(.workloadAPI, "the stream ended without a message") }
        return value
    }

    private var options: CallOptions { CallOptions(metadata: ["workload.spiffe.io": "true"]) }

    private func call<Request: Message, Response: Message>(
        _ method: UnaryMethod<Request, Response>, _ request: Request
    ) async throws -> Response {
        do {
            return try await rpc.unary(method, request, options: options)
        } catch let status as RPCStatus {
            throw WorkloadAPIFailure(status)
        }
    }

    private func follow<Request: Message, Response: Message>(
        _ method: ServerStreamingMethod<Request, Response>, _ request: Request,
        _ body: (Response) async throws -> Void
    ) async throws {
        do {
            try await rpc.serverStreaming(method, request, options: options) { responses in
                while let response = try await responses.next() { try await body(response) }
            }
        } catch let status as RPCStatus {
            throw WorkloadAPIFailure(status)
        }
    }
}
