// SPDX-License-Identifier: Apache-2.0

package import Logging
import Synchronization

/// Keeps the statements a datastore opened with `logSQL` says that it sends.
package final class StatementLog: Sendable {
    private let state = Mutex<[String]>([])

    package init() {}

    package var logger: Logger { Logger(label: "statements") { _ in Handler(log: self) } }

    /// What was sent since the last call of this.
    package func take() -> [String] {
        state.withLock { statements in
            defer { statements = [] }
            return statements
        }
    }

    private struct Handler: LogHandler {
        let log: StatementLog
        var logLevel = Logger.Level.debug
        var metadata: Logger.Metadata = [:]

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            guard let sql = event.metadata?["sql"] else { return }
            log.state.withLock { $0.append("\(sql)") }
        }
    }
}
