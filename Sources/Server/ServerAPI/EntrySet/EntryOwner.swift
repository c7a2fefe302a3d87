// SPDX-License-Identifier: Apache-2.0

/// How an entry's id says whose it is: `apply.<owner>.<key>`. Any SPIRE server stores and shows such ids.
package enum EntryOwner {
    package static let longestName = 64

    /// Lower-case letters, digits and hyphens: neither the dot that ends the name nor a wildcard of SQL, and alike in
    /// databases that look at the case of letters and those that do not.
    package static func isValid(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.count <= longestName
            && name.utf8.allSatisfy { byte in
                (byte >= 48 && byte <= 57) || (byte >= 97 && byte <= 122) || byte == 45
            }
    }

    /// What the ids of an owner's entries begin with.
    package static func prefix(_ name: String) -> String { "apply.\(name)." }

    /// The owner of the entry with this id; `nil` for entries nobody declares.
    package static func name(ofEntry id: String) -> String? {
        let parts = id.split(separator: ".", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == "apply", isValid(String(parts[1])), !parts[2].isEmpty else { return nil }
        return String(parts[1])
    }
}
