// SPDX-License-Identifier: Apache-2.0

import Groundwork
import Logging
package import ServiceLifecycle
package import UnixSignals

/// The running server: what is started, in order, and what its failure means. Stopping goes from the last to the first.
package struct Server: Service {
    /// Built by `Composition`: everything opened, nothing running.
    package let parts: ServerParts

    /// What the program wants to run beside it.
    private let extras: [any Service]

    package init(_ parts: ServerParts, also extras: [any Service] = []) {
        self.parts = parts
        self.extras = extras
    }

    /// Runs until told to stop gracefully, or until a vital part fails.
    package func run() async throws { try await group(signals: []).run() }

    /// The same as a group that also stops on signals.
    package func group(signals: [UnixSignal]) -> ServiceGroup {
        var services: [ServiceGroupConfiguration.ServiceConfiguration] = [
            vital(parts.authority),  // prepares and rotates CA and JWT keys
            vital(parts.serverSVID),  // keeps the server's own certificate valid
            helpful("entry index", parts.entryIndex),  // follows changes of entries and agents
            helpful("other servers", parts.otherServers),  // hears of what other servers on the database change
        ]
        services += parts.pruners.map { helpful("pruning", $0) }
        services += parts.federation.services.map { vital($0) }  // foreign bundles, and the own one for others
        services += parts.observers.map { vital($0) }
        services += extras.map { vital($0) }
        services.append(vital(parts.endpoints))  // gRPC over TLS and over the admin socket
        var configuration = ServiceGroupConfiguration(
            services: services, gracefulShutdownSignals: signals,
            logger: Logger(label: "service-group") { _ in SwiftLogNoOpLogHandler() })
        configuration.maximumGracefulShutdownDuration = Endpoints.grace + .seconds(5)
        return ServiceGroup(configuration: configuration)
    }

    /// A part whose failure ends the server.
    private func vital(_ part: some Service) -> ServiceGroupConfiguration.ServiceConfiguration {
        .init(service: Named(part: part))
    }

    /// A part whose failure is logged, and which is then started again.
    private func helpful(_ name: String, _ part: some Service) -> ServiceGroupConfiguration.ServiceConfiguration {
        .init(
            service: Named(part: Helpful(part: part, name: name, time: parts.time, logger: parts.logger)))
    }
}
