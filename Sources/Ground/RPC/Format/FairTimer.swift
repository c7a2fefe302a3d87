// SPDX-License-Identifier: Apache-2.0

package import NIOCore

/// Waits for something a peer should do in time, and is fair to it: a loop that was busy for the whole span has not read
/// yet what came meanwhile, and must not take its own lateness for the peer's. So a tenth of the span is kept back, in
/// which the loop reads what is there before the time is up.
///
/// Belongs to one event loop; `@unchecked` stands for that.
package final class FairTimer: @unchecked Sendable {
    private var scheduled: Scheduled<Void>?

    /// Calls `isUp` on the loop, which must be the current one, once `span` has passed, unless cancelled before.
    package init(on loop: any EventLoop, in span: TimeAmount, _ isUp: @escaping @Sendable () -> Void) {
        let rest = TimeAmount.nanoseconds(span.nanoseconds / 10)
        scheduled = loop.scheduleTask(in: span - rest) {
            self.scheduled = loop.scheduleTask(in: rest) {
                self.scheduled = nil
                isUp()
            }
        }
    }

    package func cancel() {
        scheduled?.cancel()
        scheduled = nil
    }
}
