// SPDX-License-Identifier: Apache-2.0

package import Groundwork

extension SpireError.Code {
    /// A URL cannot be used.
    package static let webAddress = SpireError.Code("web.malformed_url", wire: .invalidArgument)
    /// A server could not be reached, or did not answer as HTTP wants it.
    package static let webExchange = SpireError.Code("web.exchange_failed", wire: .unavailable)
}

/// All codes of this target, for the uniqueness test and the generated documentation.
package enum WebCodes {
    package static let all: [SpireError.Code] = [.webAddress, .webExchange]
}
