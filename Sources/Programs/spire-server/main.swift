// SPDX-License-Identifier: Apache-2.0

import ServerCLI
#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

exit(await ServerCommandLine.run(Array(CommandLine.arguments.dropFirst())))
