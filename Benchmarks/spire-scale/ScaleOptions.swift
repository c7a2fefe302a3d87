// SPDX-License-Identifier: Apache-2.0

/// How large a fleet to simulate and what it is to do, from the command line.
struct ScaleOptions: Sendable {
    /// How agents learn of changes.
    enum Mode: String, Sendable {
        /// `SyncAuthorizedEntries` every `pollInterval`, as the original's agents do.
        case poll
        /// One open stream of changes an agent.
        case push
    }

    var host = "127.0.0.1"
    var port = 8081
    var trustDomain = "example.org"
    /// PEM file with the authorities the server is verified against.
    var bundle = ""
    /// The server's local socket, where tokens and entries are made.
    var admin = ""
    /// The server's process id, for CPU and memory; 0 when it is not on this machine.
    var process = 0
    /// The server's log with SQL statements in it, for counting them; empty for none.
    var sqlLog = ""
    var agents = 100
    /// Entries of each agent.
    var workloads = 2
    var mode = Mode.poll
    /// Seconds between two polls of an agent.
    var pollInterval = 5.0
    /// Seconds between the last agent's start and the first count.
    var settle = 5.0
    /// Seconds the fleet is connected and nothing changes. An agent that follows a stream asks every 30 seconds whether the
    /// server is there, so a multiple of that counts them all.
    var idle = 10.0
    /// Entries created, and as many deleted, each second.
    var churn = 10.0
    /// Seconds of churn.
    var seconds = 30.0
    /// Agent certificates renewed each second during the churn.
    var renewals = 0.0
    /// Certificates asked for in one call.
    var batch = 500
    /// Entries created in one call while the fleet is set up.
    var createBatch = 500
    /// Attestations and first synchronisations under way at once.
    var width = 32
    var threads = 1

    /// - Throws: a text for the user.
    init(_ arguments: some Sequence<String>) throws(UsageError) {
        var rest = arguments.makeIterator()
        while let name = rest.next() {
            guard let value = rest.next() else { throw UsageError("\(name) needs a value") }
            switch name {
            case "-server": try setServer(value)
            case "-trustDomain": trustDomain = value
            case "-bundle": bundle = value
            case "-admin": admin = value
            case "-sqlLog": sqlLog = value
            case "-pid": process = try Self.number(name, value, 0...Int(Int32.max))
            case "-agents": agents = try Self.number(name, value, 1...15_000)
            case "-workloads": workloads = try Self.number(name, value, 0...100_000)
            case "-mode": mode = try Self.mode(value)
            case "-pollInterval": pollInterval = try Self.number(name, value, 0.1...3600)
            case "-settle": settle = try Self.number(name, value, 0...600)
            case "-idle": idle = try Self.number(name, value, 0...600)
            case "-churn": churn = try Self.number(name, value, 0...10_000)
            case "-seconds": seconds = try Self.number(name, value, 0...600)
            case "-renewals": renewals = try Self.number(name, value, 0...1000)
            case "-batch": batch = try Self.number(name, value, 1...500)
            case "-createBatch": createBatch = try Self.number(name, value, 1...2000)
            case "-width": width = try Self.number(name, value, 1...500)
            case "-threads": threads = try Self.number(name, value, 1...64)
            default: throw UsageError("unknown option \(name)")
            }
        }
        if admin.isEmpty || bundle.isEmpty { throw UsageError("-admin and -bundle are needed") }
    }

    private mutating func setServer(_ value: String) throws(UsageError) {
        guard let colon = value.lastIndex(of: ":"), let port = Int(value[value.index(after: colon)...]) else {
            throw UsageError("-server is HOST:PORT")
        }
        host = String(value[..<colon])
        self.port = port
        // A load generator for strangers' servers is not what this is.
        guard ["127.0.0.1", "localhost", "::1"].contains(host) else { throw UsageError("-server: only this machine") }
    }

    private static func mode(_ value: String) throws(UsageError) -> Mode {
        guard let mode = Mode(rawValue: value) else { throw UsageError("-mode is poll or push") }
        return mode
    }

    private static func number<Number: LosslessStringConvertible & Comparable>(
        _ name: String, _ value: String, _ range: ClosedRange<Number>
    ) throws(UsageError) -> Number {
        guard let number = Number(value), range.contains(number) else {
            throw UsageError("\(name): a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }
}

struct UsageError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
