// SPDX-License-Identifier: Apache-2.0

import APIProtos
import NIOCore
import RPC
import SPIFFE
import Wire
import WorkloadProtos

/// How long an entry takes from the operator's call to the workload's hands.
struct PushLoad: Sendable {
    let options: LoadOptions
    let group: any EventLoopGroup

    init(_ options: LoadOptions, _ group: any EventLoopGroup) {
        self.options = options
        self.group = group
    }

    /// Keeps one Workload API stream open (`-socket`, an agent's), and `count` times creates an entry for the caller over the
    /// admin socket (`-api`), waits for its SVID on the stream, and deletes it.
    func entryToWorkload() async throws {
        let admin = Channels.unix(path: options.api, group: group)
        let workload = Channels.unix(path: options.socket, group: group)
        let parent = try SPIFFEID(options.parent)
        let clock = ContinuousClock()
        let uid = options.uid
        let times = try await workload.serverStreaming(
            WorkloadAPIMethods.fetchX509SVID, Workload_X509SVIDRequest(),
            options: CallOptions(metadata: ["workload.spiffe.io": "true"])
        ) { stream in
            _ = try await stream.next()
            var times: [Duration] = []
            for number in 0..<options.count {
                var entry = Spire_Api_Types_Entry()
                entry.spiffeID.trustDomain = parent.trustDomain.name
                entry.spiffeID.path = "/pushed/\(number)"
                entry.parentID.trustDomain = parent.trustDomain.name
                entry.parentID.path = parent.path
                var selector = Spire_Api_Types_Selector()
                selector.type = "unix"
                selector.value = "uid:\(uid)"
                entry.selectors = [selector]
                var request = Spire_Api_Server_Entry_V1_BatchCreateEntryRequest()
                request.entries = [entry]
                let wanted = "spiffe://\(parent.trustDomain.name)/pushed/\(number)"
                let start = clock.now
                let made = try await admin.unary(EntryMethods.batchCreateEntry, request)
                while let update = try await stream.next() {
                    if update.svids.contains(where: { $0.spiffeID == wanted }) { break }
                }
                times.append(clock.now - start)
                var delete = Spire_Api_Server_Entry_V1_BatchDeleteEntryRequest()
                delete.ids = made.results.map(\.entry.id)
                _ = try await admin.unary(EntryMethods.batchDeleteEntry, delete)
                while let update = try await stream.next() {
                    if !update.svids.contains(where: { $0.spiffeID == wanted }) { break }
                }
            }
            return times
        }
        let total = times.reduce(Duration.zero, +)
        Meter.report(times, seconds: Meter.seconds(total), unit: "entries")
    }
}
