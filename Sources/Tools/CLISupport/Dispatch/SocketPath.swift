// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials

/// Paths of local sockets, as commands use and show them.
package enum SocketPath {
    /// `path` made absolute and free of `.`, `..` and doubled slashes, without looking at the file system.
    package static func absolute(_ path: String) -> String {
        let full = path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path
        var parts: [Substring] = []
        for part in full.split(separator: "/") where part != "." {
            if part == ".." {
                _ = parts.popLast()
            } else {
                parts.append(part)
            }
        }
        return "/" + parts.joined(separator: "/")
    }

    /// The name of the same file that failures to connect show: the original leaves a URL's two slashes before it.
    package static func dialed(_ absolute: String) -> String { "//" + absolute }
}
