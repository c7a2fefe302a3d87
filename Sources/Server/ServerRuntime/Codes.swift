// SPDX-License-Identifier: Apache-2.0

package import Groundwork

extension SpireError.Code {
    /// A client's certificate was not accepted at the handshake.
    package static let unauthenticated = SpireError.Code("server.unauthenticated", wire: .unauthenticated)
    /// The configuration asks for something that is known but not built in.
    package static let unsupported = SpireError.Code("server.unsupported", wire: .unimplemented)
    /// The datastore belongs to another trust domain.
    package static let foreignDatastore = SpireError.Code("server.foreign_datastore", wire: .failedPrecondition)
    /// Development mode could not be set up.
    package static let development = SpireError.Code("server.development", wire: .internal)
}
