// SPDX-License-Identifier: Apache-2.0

package import SwiftProtobuf

/// A method's place: `/<service>/<name>`.
package struct MethodPath: Sendable, Hashable, CustomStringConvertible {
    /// Full service name, such as `spire.api.server.entry.v1.Entry`.
    package let service: String
    package let name: String

    package init(service: String, name: String) {
        self.service = service
        self.name = name
    }

    package var description: String { "/\(service)/\(name)" }
}

/// One request, one response.
package struct UnaryMethod<Request: Message, Response: Message>: Sendable {
    package let path: MethodPath
    package init(_ service: String, _ name: String) { path = MethodPath(service: service, name: name) }
}

/// One request, any number of responses.
package struct ServerStreamingMethod<Request: Message, Response: Message>: Sendable {
    package let path: MethodPath
    package init(_ service: String, _ name: String) { path = MethodPath(service: service, name: name) }
}

/// Any number of requests, one response.
package struct ClientStreamingMethod<Request: Message, Response: Message>: Sendable {
    package let path: MethodPath
    package init(_ service: String, _ name: String) { path = MethodPath(service: service, name: name) }
}

/// Any number of both, in any order.
package struct BidirectionalMethod<Request: Message, Response: Message>: Sendable {
    package let path: MethodPath
    package init(_ service: String, _ name: String) { path = MethodPath(service: service, name: name) }
}
