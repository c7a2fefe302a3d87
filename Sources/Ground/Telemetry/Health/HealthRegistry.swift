// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// What a part of the program last said about itself.
package struct HealthState: Sendable, Hashable {
    package var isLive: Bool
    package var isReady: Bool
    /// What is wrong, by name, such as `get_bundle_err`.
    package var details: [String: String]
    /// Whether there is anything that could have details; without, they are shown as `null`.
    package var hasDetails = true

    package init(isLive: Bool, isReady: Bool, details: [String: String] = [:]) {
        self.isLive = isLive
        self.isReady = isReady
        self.details = details
    }

    /// Nothing is wrong.
    package static let healthy = HealthState(isLive: true, isReady: true)
    /// What every part is before it has said anything.
    package static let unknown = HealthState(isLive: false, isReady: false)
}

/// The health of all parts of a program, by name. Parts report; whoever serves health checks reads.
package final class HealthRegistry: Sendable {
    private let states: Mutex<[String: HealthState]>

    /// - Parameter parts: Names of the parts that will report.
    package init(parts: [String]) {
        states = Mutex(Dictionary(parts.map { ($0, .unknown) }, uniquingKeysWith: { first, _ in first }))
    }

    /// Replaces what is known about a part.
    package func report(_ part: String, _ state: HealthState) { states.withLock { $0[part] = state } }

    /// All parts as they are now.
    package var snapshot: [String: HealthState] { states.withLock { $0 } }

    /// Whether every part is alive.
    package var isLive: Bool { states.withLock { $0.values.allSatisfy(\.isLive) } }

    /// Whether every part can do its work.
    package var isReady: Bool { states.withLock { $0.values.allSatisfy(\.isReady) } }

    /// The body of a health answer: an object from part to its details, keys sorted, with a line end.
    package var body: String {
        var out: [UInt8] = [UInt8(ascii: "{")]
        for (index, (part, state)) in snapshot.sorted(by: { $0.key < $1.key }).enumerated() {
            if index > 0 { out.append(UInt8(ascii: ",")) }
            LogText.appendJSON(part, to: &out)
            guard state.hasDetails else {
                out.append(contentsOf: ":null".utf8)
                continue
            }
            out.append(contentsOf: ":{".utf8)
            for (number, (name, text)) in state.details.sorted(by: { $0.key < $1.key }).enumerated() {
                if number > 0 { out.append(UInt8(ascii: ",")) }
                LogText.appendJSON(name, to: &out)
                out.append(UInt8(ascii: ":"))
                LogText.appendJSON(text, to: &out)
            }
            out.append(UInt8(ascii: "}"))
        }
        out.append(contentsOf: "}\n".utf8)
        return String(decoding: out, as: UTF8.self)
    }
}
