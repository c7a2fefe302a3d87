// SPDX-License-Identifier: Apache-2.0

import CLISupport
import ServerRuntime

struct DevCommand: Command {
    static let name = "dev"
    static let synopsis = "Runs a server and an agent for trying things out; not for production"
    private let once: Flag<Bool>
    private let stay: Flag<Bool>

    init(_ flags: FlagSet) {
        once = flags.bool("once", "End after the first identity")
        stay = flags.bool("stay", "Go on until interrupted, which is the default")
    }

    func run(_ console: Console) async throws {
        let code = await DevMode.run(arguments: once.value ? ["-once"] : [])
        if code != 0 { throw CommandFailure("", exitCode: code) }
    }
}
