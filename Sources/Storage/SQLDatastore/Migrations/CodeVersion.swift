// SPDX-License-Identifier: Apache-2.0

/// A release number as stored in `migrations`; what cannot be read counts as 0.0.0.
struct CodeVersion: Comparable {
    var major = 0
    var minor = 0
    var patch = 0

    init(_ text: String) {
        let release = text.prefix { $0 != "-" && $0 != "+" }
        let parts = release.split(separator: ".", omittingEmptySubsequences: false).map { Int($0) }
        guard parts.count == 3, let major = parts[0], let minor = parts[1], let patch = parts[2] else { return }
        (self.major, self.minor, self.patch) = (major, minor, patch)
    }

    static func < (a: CodeVersion, b: CodeVersion) -> Bool {
        (a.major, a.minor, a.patch) < (b.major, b.minor, b.patch)
    }

    /// Whether two releases may share a database: neighbours in one line.
    func isCompatible(with other: CodeVersion) -> Bool {
        major == other.major && abs(minor - other.minor) <= 1
    }
}
