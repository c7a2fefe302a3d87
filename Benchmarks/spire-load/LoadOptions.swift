// SPDX-License-Identifier: Apache-2.0

/// What one measurement does, from the command line.
struct LoadOptions: Sendable {
    var scenario = ""
    var socket = ""
    var callers = 1
    /// How long calls are made.
    var seconds = 5.0
    /// A new connection for each call.
    var fresh = false
    /// How many entries or streams.
    var count = 1000
    /// Items a call.
    var batch = 50
    var parent = "spiffe://example.org/node"
    /// What the entries created have in common besides their parent: `distinct`, `same-id` (one SPIFFE ID, a parent
    /// each, as for something that runs on every node) or `same-selector`.
    var shape = "distinct"
    /// Numbers the entries from here.
    var first = 0
    var token = ""
    var server = ""
    /// A server's admin socket.
    var api = ""
    /// The user the measured entries are for.
    var uid = 0
    /// After the measurement, wait for end of input before going away, so that memory can be read.
    var hold = false

    init(_ arguments: some Sequence<String>) {
        var rest = arguments.makeIterator()
        scenario = rest.next() ?? ""
        while let name = rest.next() {
            switch name {
            case "-fresh": fresh = true
            case "-hold": hold = true
            case "-socket": socket = rest.next() ?? ""
            case "-callers": callers = rest.next().flatMap(Int.init) ?? callers
            case "-seconds": seconds = rest.next().flatMap(Double.init) ?? seconds
            case "-count": count = rest.next().flatMap(Int.init) ?? count
            case "-batch": batch = rest.next().flatMap(Int.init) ?? batch
            case "-parent": parent = rest.next() ?? parent
            case "-shape": shape = rest.next() ?? shape
            case "-first": first = rest.next().flatMap(Int.init) ?? first
            case "-token": token = rest.next() ?? ""
            case "-api": api = rest.next() ?? ""
            case "-uid": uid = rest.next().flatMap(Int.init) ?? uid
            case "-server": server = rest.next() ?? ""
            default: print("unknown option \(name)")
            }
        }
    }
}
