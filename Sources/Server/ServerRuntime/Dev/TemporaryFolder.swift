// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Groundwork

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A folder only its owner may enter, which goes when its work is done.
struct TemporaryFolder: Sendable {
    let path: String

    /// - Parameter parent: Kept short: the path of a Unix socket has about a hundred bytes at most.
    /// - Throws: `io` with the reason.
    init(prefix: String, parent: String) throws {
        var template = Array("\(parent)/\(prefix).XXXXXX".utf8CString)
        guard unsafe mkdtemp(&template) != nil else {
            throw SpireError(.io, "cannot make a folder in \(parent): \(unsafe String(cString: strerror(errno)))")
        }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Removes the folder and what is in it. Does not follow links out of it.
    func delete() { try? FileManager.default.removeItem(atPath: path) }
}
