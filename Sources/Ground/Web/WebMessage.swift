// SPDX-License-Identifier: Apache-2.0

/// One HTTP request as a handler sees it: whole, and within the server's limits.
package struct WebRequest: Sendable {
    package let method: String
    /// Before the query, as sent: percent escapes are left alone.
    package let path: String
    /// After the `?`; `nil` without one.
    package let query: String?
    /// In the order they were sent.
    package let headers: [(name: String, value: String)]
    package let body: [UInt8]
    /// `ip:port` of the other end; empty when the system names none.
    package let peer: String

    package init(
        method: String, target: String, headers: [(name: String, value: String)] = [], body: [UInt8] = [],
        peer: String = ""
    ) {
        self.method = method
        let mark = target.firstIndex(of: "?")
        path = String(target[..<(mark ?? target.endIndex)])
        query = mark.map { String(target[target.index(after: $0)...]) }
        self.headers = headers
        self.body = body
        self.peer = peer
    }

    /// The first header of that name, any case.
    package func header(_ name: String) -> String? {
        let wanted = name.lowercased()
        return headers.first { $0.name.lowercased() == wanted }?.value
    }
}

/// The answer. Length, date and connection headers are the server's business.
package struct WebResponse: Sendable {
    package var status: Int
    package var headers: [(name: String, value: String)]
    package var body: [UInt8]

    package init(status: Int, contentType: String, body: [UInt8]) {
        self.status = status
        headers = [("Content-Type", contentType)]
        self.body = body
    }

    package static func text(_ status: Int, _ text: String) -> WebResponse {
        WebResponse(status: status, contentType: "text/plain; charset=utf-8", body: Array((text + "\n").utf8))
    }

    package static let notFound = WebResponse.text(404, "404 page not found")
}

/// Answers requests. May wait; while it does, its connection reads nothing.
package typealias WebHandler = @Sendable (WebRequest) async -> WebResponse
