// SPDX-License-Identifier: Apache-2.0

import APIProtos
import Datastore
import FoundationEssentials
import Groundwork
import Issuance
import RPC
import SPIFFE
import SQLDatastore
@testable import ServerAPI
import SwiftProtobuf
import TestKit
import Testing

@Suite struct BundleServiceTests {
    typealias Bundle = Spire_Api_Types_Bundle

    func root(_ fixture: Fixture, _ serial: UInt64 = 1) throws -> Data {
        Data(try TestCertificate.leaf(serial: serial, validUntil: fixture.time.now.addingTimeInterval(9999)).der)
    }

    func bundle(_ fixture: Fixture, _ name: String = "b.org") throws -> Bundle {
        let der = try root(fixture)
        return .with {
            $0.trustDomain = name
            $0.x509Authorities = [.with { $0.asn1 = der }]
            $0.refreshHint = 60
        }
    }

    @Test("the own bundle is shown as soon as it changes, though it is cached")
    func own() async throws {
        let fixture = try await Fixture()
        let call = try fixture.call(BundleMethods.getBundle.path, as: .nobody)
        let missing = await status { _ = try await fixture.bundleService.get(.init(), call) }
        #expect(missing == RPCStatus(.notFound, "bundle not found"))
        let first = try root(fixture, 1)
        let append = try fixture.call(BundleMethods.appendBundle.path)
        _ = try await fixture.bundleService.append(.with { $0.x509Authorities = [.with { $0.asn1 = first }] }, append)
        let bundle = try await fixture.bundleService.get(.init(), call)
        #expect(bundle.trustDomain == "example.org")
        #expect(bundle.x509Authorities.map(\.asn1) == [first])
        let masked = try await fixture.bundleService.get(.with { $0.outputMask.sequenceNumber = true }, call)
        #expect(masked.x509Authorities.isEmpty)
        #expect(masked.sequenceNumber == bundle.sequenceNumber)
    }

    @Test("a change by somebody else is seen once the cached bundle is a second old")
    func cacheAge() async throws {
        let fixture = try await Fixture()
        let call = try fixture.call(BundleMethods.getBundle.path, as: .nobody)
        var stored = TrustBundle(trustDomainID: "spiffe://example.org")
        stored.refreshHint = 1
        _ = try await fixture.store.setBundle(stored)
        #expect(try await fixture.bundleService.get(.init(), call).refreshHint == 1)
        stored.refreshHint = 2
        _ = try await fixture.store.setBundle(stored)
        #expect(try await fixture.bundleService.get(.init(), call).refreshHint == 1)
        fixture.time.advance(by: .seconds(1))
        #expect(try await fixture.bundleService.get(.init(), call).refreshHint == 2)
    }

    @Test("appending wants authorities that can be read")
    func appendRefusals() async throws {
        let fixture = try await Fixture()
        let call = try fixture.call(BundleMethods.appendBundle.path)
        let service = fixture.bundleService
        let nothing = await status { _ = try await service.append(.init(), call) }
        #expect(nothing == RPCStatus(.invalidArgument, "no authorities to append"))
        let garbage = await status {
            _ = try await service.append(.with { $0.x509Authorities = [.with { $0.asn1 = Data([1]) }] }, call)
        }
        #expect(garbage?.message.hasPrefix("failed to convert X.509 authority: ") == true)
        let spki = Data(try LocalKey.generate(.ecP256).publicKey.spki)
        let unnamed = await status {
            _ = try await service.append(.with { $0.jwtAuthorities = [.with { $0.publicKey = spki }] }, call)
        }
        #expect(unnamed == RPCStatus(.invalidArgument, "failed to convert JWT authority: missing key ID"))
    }

    @Test("a downstream server's key is added, and all keys are answered")
    func publish() async throws {
        let fixture = try await Fixture()
        let call = try fixture.call(BundleMethods.publishJWTAuthority.path, as: .downstream)
        let spki = Data(try LocalKey.generate(.ecP256).publicKey.spki)
        let missing = await status { _ = try await fixture.bundleService.publishJWTAuthority(.init(), call) }
        #expect(missing == RPCStatus(.invalidArgument, "missing JWT authority"))
        let response = try await fixture.bundleService.publishJWTAuthority(
            .with {
                $0.jwtAuthority.publicKey = spki
                $0.jwtAuthority.keyID = "k"
                $0.jwtAuthority.expiresAt = 9
            }, call)
        #expect(response.jwtAuthorities.map(\.keyID) == ["k"])
    }

    @Test("foreign bundles are created, shown, updated, set, listed and deleted")
    func federated() async throws {
        let fixture = try await Fixture()
        let service = fixture.bundleService
        let call = try fixture.call(BundleMethods.batchCreateFederatedBundle.path)
        _ = try await fixture.watched.setBundle(TrustBundle(trustDomainID: "spiffe://example.org"))
        let bundle = try bundle(fixture)
        let created = try await service.batchCreateFederated(.with { $0.bundle = [bundle, bundle] }, call)
        #expect(created.results.map(\.status.code) == [0, 6])
        #expect(created.results[1].status.message == "bundle already exists")
        let shown = try await service.getFederated(.with { $0.trustDomain = "b.org" }, call)
        #expect(shown.refreshHint == 60)
        var other = bundle
        other.refreshHint = 5
        other.x509Authorities = []
        let changed = other
        let updated = try await service.batchUpdateFederated(
            .with {
                $0.bundle = [changed]
                $0.inputMask.refreshHint = true
            }, call)
        #expect(updated.results[0].bundle.refreshHint == 5)
        #expect(updated.results[0].bundle.x509Authorities.count == 1)
        let set = try await service.batchSetFederated(.with { $0.bundle = [changed] }, call)
        #expect(set.results[0].bundle.x509Authorities.isEmpty)
        let listed = try await service.listFederated(.init(), call)
        #expect(listed.bundles.map(\.trustDomain) == ["b.org"])
        #expect(try await service.count(.init(), call).count == 2)
        let deleted = try await service.batchDeleteFederated(.with { $0.trustDomains = ["b.org", "b.org"] }, call)
        #expect(deleted.results.map(\.status.code) == [0, 5])
        #expect(deleted.results.map(\.status.message) == ["OK", "bundle not found"])
        let gone = await status { _ = try await service.getFederated(.with { $0.trustDomain = "b.org" }, call) }
        #expect(gone == RPCStatus(.notFound, "bundle not found"))
    }

    @Test("the own bundle cannot be treated as a foreign one, nor can a name that is none")
    func refusals() async throws {
        let fixture = try await Fixture()
        let service = fixture.bundleService
        let call = try fixture.call(BundleMethods.batchCreateFederatedBundle.path)
        let own = try bundle(fixture, "example.org")
        let bad = try bundle(fixture, "B")
        let create = try await service.batchCreateFederated(.with { $0.bundle = [own, bad] }, call)
        #expect(
            create.results[0].status.message
                == "creating a federated bundle for the server's own trust domain is not allowed")
        #expect(create.results[1].status.message.hasPrefix("trust domain argument is not valid: "))
        let update = try await service.batchUpdateFederated(.with { $0.bundle = [own] }, call)
        #expect(
            update.results[0].status.message
                == "updating a federated bundle for the server's own trust domain is not allowed")
        let set = try await service.batchSetFederated(.with { $0.bundle = [own] }, call)
        #expect(
            set.results[0].status.message
                == "setting a federated bundle for the server's own trust domain is not allowed")
        let delete = try await service.batchDeleteFederated(.with { $0.trustDomains = ["example.org"] }, call)
        #expect(
            delete.results[0].status.message == "removing the bundle for the server trust domain is not allowed")
        let get = await status { _ = try await service.getFederated(.with { $0.trustDomain = "example.org" }, call) }
        #expect(
            get
                == RPCStatus(
                    .invalidArgument,
                    "getting a federated bundle for the server's own trust domain is not allowed"))
    }

    @Test("a bundle entries federate with is kept, unless told otherwise")
    func deletionModes() async throws {
        let fixture = try await Fixture()
        let service = fixture.bundleService
        let call = try fixture.call(BundleMethods.batchDeleteFederatedBundle.path)
        let bundle = try bundle(fixture)
        _ = try await service.batchCreateFederated(.with { $0.bundle = [bundle] }, call)
        _ = try await fixture.store.createEntry(.made("/a") { $0.federatesWith = ["spiffe://b.org"] })
        let kept = try await service.batchDeleteFederated(.with { $0.trustDomains = ["b.org"] }, call)
        #expect(kept.results[0].status.code == 9)
        #expect(
            kept.results[0].status.message
                == "failed to delete federated bundle: datastore-sql: cannot delete bundle; federated with 1 registration entries"
        )
        let mode = await status {
            _ = try await service.batchDeleteFederated(.with { $0.mode = .UNRECOGNIZED(9) }, call)
        }
        #expect(mode?.message.hasPrefix("failed to parse deletion mode: ") == true)
        let gone = try await service.batchDeleteFederated(
            .with {
                $0.trustDomains = ["b.org"]
                $0.mode = .dissociate
            }, call)
        #expect(gone.results[0].status.code == 0)
    }
}
