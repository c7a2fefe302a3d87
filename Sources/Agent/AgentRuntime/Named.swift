// SPDX-License-Identifier: Apache-2.0

import ServiceLifecycle

/// A part of the agent that goes by the name of its type: the group of services makes a text of each part when it begins, and
/// Swift's own would be of everything the part refers to, keys included, and take a quarter of the time of a start.
struct Named: Service, CustomStringConvertible {
    let part: any Service

    var description: String { "\(type(of: part))" }

    func run() async throws { try await part.run() }
}
