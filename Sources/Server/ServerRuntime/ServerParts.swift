// SPDX-License-Identifier: Apache-2.0

import Authority
import EntryIndex
import Groundwork
import Logging
import NIOCore
import SPIFFE
import SQLDatastore
import ServerAPI
import ServiceLifecycle
import Telemetry

/// A server that has been built: everything opened and loaded, nothing running.
package struct ServerParts: Sendable {
    let logger: Logger
    let time: any TimeSource
    let trustDomain: TrustDomain
    let datastore: SQLDatastore
    let group: any EventLoopGroup
    let bundles: BundleCache
    let authority: Looping
    let serverSVID: ServerSVIDRotator
    let entryIndex: Looping
    let otherServers: Looping
    let federation: FederationParts
    let meter: Meter
    let pruners: [Pruner]
    /// Metrics, traces, health checks.
    let observers: [any Service]
    /// `nil` when audit lines only go to the ordinary log, if anywhere.
    let auditLog: AuditLog?
    let endpoints: Endpoints

    /// Lets go of what building took. To be called once the server has ended.
    package func close() async {
        try? await group.shutdownGracefully()
        logger.debug("Closing DataStore", metadata: [LogKey.subsystem: "catalog"])
        await datastore.close()
        logger.info("DataStore closed", metadata: [LogKey.subsystem: "catalog"])
    }
}
