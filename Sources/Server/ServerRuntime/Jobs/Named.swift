// SPDX-License-Identifier: Apache-2.0

import ServiceLifecycle

/// A part of the server that goes by the name of its type.
///
/// The group of services makes a text of each part when it begins. Of one that has no text of its own Swift would write down
/// everything it holds, through all that it refers to: a good part of a start's time, and what must not be in any text.
struct Named: Service, CustomStringConvertible {
    let part: any Service

    var description: String { "\(type(of: part))" }

    func run() async throws { try await part.run() }
}
