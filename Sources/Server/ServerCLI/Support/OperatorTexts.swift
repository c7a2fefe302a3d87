// SPDX-License-Identifier: Apache-2.0

import APIProtos
package import CLISupport

/// The texts operators hand to commands, read as the commands read them. For those who try the readers with bad texts.
package enum OperatorTexts {
    /// The file `entry create -data` names. One node an entry.
    package static func entries(_ bytes: [UInt8]) throws -> [JSONNode] {
        try EntryFile.entries(bytes, "data").map { JSONNode($0) }
    }

    /// The file `federation create -data` names. One node a relationship.
    package static func relationships(_ bytes: [UInt8]) throws -> [JSONNode] {
        try RelationshipFile.relationships(bytes).map { JSONNode($0) }
    }

    /// A file of `entry apply`.
    /// - Parameter file: Its name; `.json` makes it JSON.
    package static func declaredEntries(_ bytes: [UInt8], file: String, owner: String) throws -> [JSONNode] {
        try ApplyFiles.read(bytes, file: file, owner: owner).map { JSONNode($0.entry) }
    }

    /// A `-selector` flag.
    package static func selector(_ text: String) throws -> (type: String, value: String) {
        let selector = try SPIRE.selector(text)
        return (selector.type, selector.value)
    }
}
