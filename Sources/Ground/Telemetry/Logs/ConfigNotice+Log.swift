// SPDX-License-Identifier: Apache-2.0

package import HCL
package import Logging

extension ConfigNotice {
    /// Writes the record that loading the configuration asked for.
    package func log(to logger: Logger) {
        let level: Logger.Level =
            switch self.level {
            case .info: .info
            case .warning: .warning
            case .error: .error
            }
        logger.log(level: level, "\(message)", metadata: fields.mapValues { .string($0) })
    }
}
