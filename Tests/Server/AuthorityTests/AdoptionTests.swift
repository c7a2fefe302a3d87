// SPDX-License-Identifier: Apache-2.0

import Authority
import Datastore
import Foundation
import Groundwork
import Issuance
import Logging
import PluginsBasic
import SPIFFE
import SQLDatastore
import SQLiteDriver
import TestKit
import Testing

@Suite struct AdoptionTests {
    @Test("the original's keys and database are continued: same authorities, same JWT key, nothing rewritten")
    func sample() async throws {
        guard let samples = Samples.folder else {
            print("skipped: no samples of the original here; SPIRE_SAMPLES may name their folder")
            return
        }
        let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        defer { try? FileManager.default.removeItem(at: folder) }
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        for name in ["keys.json", "datastore.sqlite3"] {
            let bytes = try Data(contentsOf: URL(filePath: "\(samples)/spire-state/sqlite/server/\(name)"))
            try bytes.write(to: folder.appending(path: name))
        }
        let keyFile = folder.appending(path: "keys.json")
        let keysBefore = try Data(contentsOf: keyFile)
        // A moment within the sample authority's life, before its successor is due.
        let clock = ManualClock(Date(timeIntervalSince1970: 1_800_000_000))
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let store = try await SQLiteDatastore.open(
            SQLDatastoreConfiguration(connectionString: folder.path + "/datastore.sqlite3"), time: clock,
            random: SystemRandom(), logger: logger)
        let keys = try await DiskKeyManager.open(path: keyFile.path, lane: BlockingLane("test.keys", width: 1))
        let server = AuthorityService(
            settings: AuthoritySettings(trustDomain: try TrustDomain("example.org")), keyManager: keys, store: store,
            time: clock, logger: logger)
        try await server.start()

        let x509 = try server.states(.x509)
        #expect(x509.active.authorityID == "8442a3c5e1c5e1637683105de8ffdbd9610c007d")
        #expect(x509.prepared == nil && x509.old == nil)
        #expect(try server.states(.jwt).active.authorityID == "17lkWoaCWtKfcD7yhnVv5c4rUa6Jai1K")
        let svid = try await server.workloadX509SVID(
            id: SPIFFEID("spiffe://example.org/web"), publicKey: LocalKey.generate(.ecP256).publicKey, dnsNames: [],
            ttl: 0, subject: nil)
        let root = try #require(try Samples.certificates("issued/bundle.0.pem")?.first)
        let bundle = try X509Bundle(TrustDomain("example.org"), der: root)
        let verified = try X509SVID.verify(der: svid.chain, bundles: BundleSet(x509: [bundle]), at: clock.now)
        #expect(verified.id.path == "/web")
        #expect(try Data(contentsOf: keyFile) == keysBefore)
    }
}
