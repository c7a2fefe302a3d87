// SPDX-License-Identifier: Apache-2.0

import Groundwork
import SPIFFE

/// The flags of `spire-server dev`.
struct DevOptions: Sendable, Equatable {
    /// Ends after the first identity instead of running until interrupted.
    var once = false
    /// Also passes for help.
    var help = false
    var trustDomain = "dev.test"
    /// Where the agent program is; beside this one by default.
    var agentPath: String?

    static let usage = """
        Usage of dev:
          -agentPath string
            	Path of the spire-agent program (default: beside spire-server)
          -once
            	End after the first identity has been printed
          -trustDomain string
            	Name of the trust domain (default "dev.test")
        """

    /// - Throws: `invalid` naming the flag.
    init(_ arguments: [String]) throws {
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            guard argument.hasPrefix("-") else { throw SpireError(.invalid, "unexpected argument: \(argument)") }
            let body = argument.drop { $0 == "-" }
            let name = String(body.prefix { $0 != "=" })
            let attached = body.contains("=") ? String(body.drop { $0 != "=" }.dropFirst()) : nil
            func value() throws -> String {
                guard let value = attached ?? rest.popFirst() else {
                    throw SpireError(.invalid, "flag needs an argument: -\(name)")
                }
                return value
            }
            switch name {
            case "once": once = attached != "false"
            case "h", "help": help = true
            case "trustDomain": trustDomain = try value()
            case "agentPath": agentPath = try value()
            default: throw SpireError(.invalid, "flag provided but not defined: -\(name)")
            }
        }
    }
}
