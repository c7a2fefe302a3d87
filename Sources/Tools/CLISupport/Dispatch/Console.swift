// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Where a command talks: data to one side, talk and errors to the other. Tests capture both.
package struct Console: Sendable {
    /// Prints lines for people. What would steer a terminal is escaped, whoever forgot to do it before; values within a
    /// line are escaped where they are put there, line breaks too (`String.harmless`).
    package let out: @Sendable (String) -> Void
    /// The same for talk and errors.
    package let err: @Sendable (String) -> Void
    /// Prints what programs read, byte for byte.
    package let exact: @Sendable (String) -> Void
    package let environment: [String: String]

    package init(
        out: @escaping @Sendable (String) -> Void, err: @escaping @Sendable (String) -> Void,
        environment: [String: String] = [:]
    ) {
        self.out = { out($0.harmlessLines) }
        self.err = { err($0.harmlessLines) }
        self.exact = out
        self.environment = environment
    }

    /// The process's own streams and environment.
    package static func process() -> Console {
        Console(
            out: { write($0, to: STDOUT_FILENO) }, err: { write($0, to: STDERR_FILENO) },
            environment: ProcessInfo.processInfo.environment)
    }

    /// Writes all of `text`; a closed reader is not our failure.
    private static func write(_ text: String, to descriptor: Int32) {
        let bytes = Array(text.utf8)
        var sent = 0
        while sent < bytes.count {
            let count = unsafe bytes[sent...].withUnsafeBytes { part in
                #if canImport(Glibc)
                unsafe Glibc.write(descriptor, part.baseAddress, part.count)
                #elseif canImport(Musl)
                unsafe Musl.write(descriptor, part.baseAddress, part.count)
                #else
                unsafe Darwin.write(descriptor, part.baseAddress, part.count)
                #endif
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return }
            sent += count
        }
    }
}

/// Ends a command with exit code 1 after printing `message`, which may be empty.
package struct CommandFailure: Error, Sendable, CustomStringConvertible {
    package let message: String
    package let exitCode: Int32

    package init(_ message: String, exitCode: Int32 = 1) {
        self.message = message
        self.exitCode = exitCode
    }

    package var description: String { message }
}
