// SPDX-License-Identifier: Apache-2.0

package import Groundwork

/// Time and chance, handed to everything that waits or draws.
package struct Clocks: Sendable {
    package let time: any TimeSource
    package let random: any RandomSource

    package init(time: any TimeSource, random: any RandomSource) {
        self.time = time
        self.random = random
    }

    package static var system: Clocks { Clocks(time: SystemTime(), random: SystemRandom()) }
}
