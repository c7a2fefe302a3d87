// SPDX-License-Identifier: Apache-2.0

import APIProtos
import Authority
import Datastore
import FoundationEssentials
import Groundwork
import Logging
import PluginsBasic
import RPC
import SPIFFE
import SQLDatastore
import SwiftProtobuf
import TestKit
import Testing

@testable import ServerAPI

@Suite struct LocalAuthorityServiceTests {
    /// The service over real authorities on the fixture's datastore.
    struct World {
        let fixture: Fixture
        let authority: AuthorityService
        var service: LocalAuthorityService { LocalAuthorityService(authorities: authority) }

        init(started: Bool = true, audit: Bool = false, configure: (inout AuthoritySettings) -> Void = { _ in }) async throws {
            fixture = try await Fixture(audit: audit)
            var settings = AuthoritySettings(trustDomain: fixture.trustDomain)
            configure(&settings)
            authority = AuthorityService(
                settings: settings, keyManager: MemoryKeyManager(lane: BlockingLane("tests", width: 1)),
                store: fixture.watched, time: fixture.time,
                logger: Logger(label: "authority") { _ in SwiftLogNoOpLogHandler() })
            if started { try await authority.start() }
        }

        func call(_ method: MethodPath) throws -> Call { try fixture.call(method) }
    }

    @Test("an X.509 authority is prepared, activated, tainted and revoked, and the bundle follows")
    func x509() async throws {
        let world = try await World()
        let call = try world.call(LocalAuthorityMethods.prepareX509Authority.path)
        let service = world.service
        let first = try await service.x509State(.init(), call)
        #expect(!first.hasPrepared && !first.hasOld)
        let prepared = try await service.prepareX509(.init(), call).preparedAuthority
        #expect(try await service.x509State(.init(), call).prepared == prepared)
        let activated = try await service.activateX509(.with { $0.authorityID = prepared.authorityID }, call)
        #expect(activated.activatedAuthority == prepared)
        let old = try await service.x509State(.init(), call).old
        #expect(old == first.active)

        let early = await status { _ = try await service.revokeX509(.with { $0.authorityID = old.authorityID }, call) }
        #expect(early?.code == .internal)
        #expect(
            early?.message
                == "failed to revoke X.509 authority: it is not possible to revoke an untainted root CA")
        let tainted = try await service.taintX509(.with { $0.authorityID = old.authorityID }, call)
        #expect(tainted.taintedAuthority == old)
        #expect(try await world.fixture.bundles.fresh(world.fixture.trustDomain)?.x509Authorities.filter(\.tainted).count == 1)
        let again = await status { _ = try await service.taintX509(.with { $0.authorityID = old.authorityID }, call) }
        #expect(again == RPCStatus(.internal, "failed to taint X.509 authority: root CA is already tainted"))
        let revoked = try await service.revokeX509(.with { $0.authorityID = old.authorityID }, call)
        #expect(revoked.revokedAuthority == old)
        #expect(try await world.fixture.bundles.fresh(world.fixture.trustDomain)?.x509Authorities.count == 1)
    }

    @Test("a JWT key is prepared, activated, tainted and revoked")
    func jwt() async throws {
        let world = try await World()
        let call = try world.call(LocalAuthorityMethods.prepareJWTAuthority.path)
        let service = world.service
        let first = try await service.jwtState(.init(), call).active
        let prepared = try await service.prepareJWT(.init(), call).preparedAuthority
        _ = try await service.activateJWT(.with { $0.authorityID = prepared.authorityID }, call)
        let untainted = await status { _ = try await service.revokeJWT(.with { $0.authorityID = first.authorityID }, call) }
        #expect(
            untainted == RPCStatus(.internal, "failed to revoke JWT authority: it is not possible to revoke an untainted key"))
        #expect(
            try await service.taintJWT(.with { $0.authorityID = first.authorityID }, call).taintedAuthority.authorityID
                == first.authorityID)
        _ = try await service.revokeJWT(.with { $0.authorityID = first.authorityID }, call)
        #expect(
            try await world.fixture.bundles.fresh(world.fixture.trustDomain)?.jwtAuthorities.map(\.keyID)
                == [prepared.authorityID])
    }

    @Test("what may not be done is refused with the original's status and text")
    func refusals() async throws {
        let world = try await World()
        let service = world.service
        let call = try world.call(LocalAuthorityMethods.activateX509Authority.path)
        let x509 = try await service.x509State(.init(), call).active.authorityID
        let jwt = try await service.jwtState(.init(), call).active.authorityID
        func refusal(_ body: () async throws -> Void) async -> String {
            guard let status = await status(of: body) else { return "none" }
            return "\(status.code.goName): \(status.message)"
        }
        #expect(await refusal { _ = try await service.activateX509(.init(), call) } == "InvalidArgument: no authority ID provided")
        #expect(await refusal { _ = try await service.activateX509(.with { $0.authorityID = "x" }, call) } == "InvalidArgument: unexpected authority ID")
        #expect(await refusal { _ = try await service.taintX509(.with { $0.authorityID = x509 }, call) } == "InvalidArgument: unable to taint current local authority")
        #expect(await refusal { _ = try await service.taintX509(.init(), call) } == "InvalidArgument: no authority ID provided")
        #expect(await refusal { _ = try await service.revokeX509(.with { $0.authorityID = x509 }, call) } == "InvalidArgument: invalid authority ID: unable to use current authority")
        #expect(await refusal { _ = try await service.revokeX509(.init(), call) } == "InvalidArgument: invalid authority ID: no authority ID provided")
        #expect(await refusal { _ = try await service.taintJWT(.with { $0.authorityID = jwt }, call) } == "InvalidArgument: unable to taint current local authority")
        #expect(await refusal { _ = try await service.revokeJWT(.with { $0.authorityID = jwt }, call) } == "InvalidArgument: invalid authority ID: unable to use current authority")
        #expect(await refusal { _ = try await service.revokeJWT(.with { $0.authorityID = "x" }, call) } == "InvalidArgument: invalid authority ID: no JWT authority found with provided authority ID")
        #expect(await refusal { _ = try await service.taintX509Upstream(.with { $0.subjectKeyID = "x" }, call) } == "FailedPrecondition: upstream authority is not configured")
        #expect(await refusal { _ = try await service.revokeX509Upstream(.init(), call) } == "FailedPrecondition: upstream authority is not configured")
        let prepared = try await service.prepareX509(.init(), call).preparedAuthority.authorityID
        #expect(await refusal { _ = try await service.taintX509(.with { $0.authorityID = prepared }, call) } == "InvalidArgument: only Old local authorities can be tainted: unsupported local authority status: PREPARED")
        _ = try await service.activateX509(.with { $0.authorityID = prepared }, call)
        #expect(await refusal { _ = try await service.activateX509(.with { $0.authorityID = x509 }, call) } == "Internal: only Prepared authorities can be activated: unsupported local authority status: OLD")
    }

    @Test("before the first authority every call is told to wait; without JWT, that there is none")
    func unavailable() async throws {
        let world = try await World(started: false)
        let call = try world.call(LocalAuthorityMethods.getX509AuthorityState.path)
        let waiting = RPCStatus(.unavailable, "server is initializing")
        #expect(await status { _ = try await world.service.x509State(.init(), call) } == waiting)
        #expect(await status { _ = try await world.service.prepareX509(.init(), call) } == waiting)
        #expect(await status { _ = try await world.service.jwtState(.init(), call) } == waiting)
        let without = try await World { $0.disableJWTSVIDs = true }
        let disabled = RPCStatus(.unimplemented, "JWT functionality is disabled")
        #expect(await status { _ = try await without.service.jwtState(.init(), call) } == disabled)
        #expect(await status { _ = try await without.service.prepareJWT(.init(), call) } == disabled)
        #expect(await status { _ = try await without.service.revokeJWT(.with { $0.authorityID = "x" }, call) } == disabled)
    }

    @Test("the audit line names the authority")
    func audit() async throws {
        let world = try await World(audit: true)
        let call = try world.call(LocalAuthorityMethods.prepareX509Authority.path)
        let prepared = try await world.service.prepareX509(.init(), call).preparedAuthority
        call.auditEnd(nil)
        let line = try #require(world.fixture.logs.lines.last { $0.message == "API accessed" })
        #expect(line.fields["local_authority_id"] == prepared.authorityID)
    }
}
