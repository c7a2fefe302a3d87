// SPDX-License-Identifier: Apache-2.0

package import Telemetry

/// The pages both programs serve to operators and their tools.
package enum OperatorPages {
    /// Answers at the two paths with what the registry holds; never asks anybody.
    /// > Matches: SPIRE's health listener: any method, 200 or 500, the same body on both paths.
    package static func health(_ registry: HealthRegistry, livePath: String, readyPath: String) -> WebHandler {
        { request in
            let isWell: Bool
            switch request.path {
            case livePath: isWell = registry.isLive
            case readyPath: isWell = registry.isReady
            default: return .notFound
            }
            return WebResponse(
                status: isWell ? 200 : 500, contentType: "application/json", body: Array(registry.body.utf8))
        }
    }

    /// Answers with the metrics page, whatever the path.
    package static func metrics(_ metrics: MetricSystem) -> WebHandler {
        { _ in
            WebResponse(
                status: 200, contentType: "text/plain; version=0.0.4; charset=utf-8", body: await metrics.page())
        }
    }
}
