// SPDX-License-Identifier: Apache-2.0

import AgentCLI
#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

exit(await AgentCommandLine.run(Array(CommandLine.arguments.dropFirst())))
