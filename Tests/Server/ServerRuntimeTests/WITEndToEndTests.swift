// SPDX-License-Identifier: Apache-2.0

import APIProtos
import FoundationEssentials
import Groundwork
import Issuance
import RPC
import SPIFFE
import SwiftProtobuf
import Testing
import Wire

@testable import ServerRuntime

@Suite(.serialized) struct WITEndToEndTests {
    @Test("an agent has tokens of its entries signed; of others, and without the feature, it has none")
    func agent() async throws {
        for enabled in [true, false] {
            try await ServerLab.run(configure: { if enabled { $0.experimental.featureFlags = ["wit-svid"] } }) { lab in
                let agent = try await lab.attest()
                let id = try await lab.entry("/a", parent: agent.path)
                let client = lab.remote(agent.identity)
                let key = Data(try LocalKey.generate(.ecP256).publicKey.spki)
                var results: [Spire_Api_Server_Svid_V1_BatchNewWITSVIDResponse.Result] = []
                // An entry reaches the index a moment after it was created: asked until it has.
                for _ in 0..<1_000 where results.first.map({ $0.status.code == 5 }) ?? true {
                    results = try await client.unary(
                        SVIDMethods.batchNewWITSVID,
                        .with {
                            $0.params = [id, "x"].map { id in
                                .with {
                                    $0.entryID = id
                                    $0.publicKey = key
                                    $0.signingAlgorithm = "ES256"
                                }
                            }
                        }
                    ).results
                }
                #expect(results.count == 2 && results.last?.status.code == 5)
                let bundle = try await lab.admin.unary(BundleMethods.getBundle, .init())
                #expect(bundle.witAuthorities.count == (enabled ? 1 : 0))
                if enabled {
                    let svid = try #require(results.first?.svid)
                    #expect(svid.id.path == "/a" && svid.token.split(separator: ".").count == 3)
                    #expect(results.first?.hasStatus == false)
                } else {
                    #expect(results.first?.status.code == 13)
                    #expect(results.first?.status.message == "failed to sign WIT-SVID: WIT key is not available for signing")
                }
                await client.close()
            }
        }
    }
}
