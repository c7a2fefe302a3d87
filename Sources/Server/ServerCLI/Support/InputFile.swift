// SPDX-License-Identifier: Apache-2.0

import CLISupport
import Groundwork
#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Files an operator names, `-` being standard input.
enum InputFile {
    /// Most bytes read.
    static let limit = 256 << 20

    /// - Throws: `CommandFailure` with the reason as Go words it: `open <path>: no such file or directory`.
    static func read(_ path: String) throws -> [UInt8] {
        if path == "-" {
            var out: [UInt8] = []
            while let line = readLine(strippingNewline: false) {
                out += Array(line.utf8)
                guard out.count <= limit else { throw CommandFailure("standard input is larger than \(limit) bytes") }
            }
            return out
        }
        do {
            if let bytes = try AtomicFile.read(path, limit: limit) { return bytes }
        } catch {
            throw CommandFailure("open \(path): \(error)")
        }
        throw CommandFailure("open \(path): no such file or directory")
    }

    /// Creates or truncates `path`.
    /// - Throws: `CommandFailure`.
    static func write(_ text: String, to path: String, mode: UInt32) throws {
        do {
            try AtomicFile.write(Array(text.utf8), to: path, mode: mode)
        } catch {
            throw CommandFailure("\(error)")
        }
    }
}
