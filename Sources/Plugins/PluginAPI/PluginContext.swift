// SPDX-License-Identifier: Apache-2.0

package import Groundwork
package import Logging
package import SPIFFE

/// Everything a plugin may touch from outside. No plugin reads the clock, the environment or the network by itself.
package struct PluginContext: Sendable {
    package let name: String
    package let trustDomain: TrustDomain
    package let logger: Logger
    package let time: any TimeSource
    package let random: any RandomSource
    /// For calls that block.
    package let lane: BlockingLane

    package init(
        name: String, trustDomain: TrustDomain, logger: Logger, time: any TimeSource, random: any RandomSource,
        lane: BlockingLane
    ) {
        self.name = name
        self.trustDomain = trustDomain
        self.logger = logger
        self.time = time
        self.random = random
        self.lane = lane
    }
}
