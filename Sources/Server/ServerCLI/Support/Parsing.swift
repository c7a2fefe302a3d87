// SPDX-License-Identifier: Apache-2.0

import APIProtos
import CLISupport
import RPC
import SPIFFE

extension Spire_Api_Types_SPIFFEID {
    /// - Throws: what is wrong with the text.
    init(parsing text: String) throws(SPIFFEError) {
        self.init(try SPIRE.id(text))
    }

    /// A flag's value.
    /// - Throws: `CommandFailure` that names the flag.
    init(flag name: String, _ text: String) throws {
        self.init(try SPIRE.id(text, flag: name))
    }

    private init(_ id: SPIFFEID) {
        self.init()
        trustDomain = id.trustDomain.name
        path = id.path
    }

    /// The text form; empty for an empty message.
    var text: String { trustDomain.isEmpty && path.isEmpty ? "" : "spiffe://\(trustDomain)\(path)" }
}

/// Parsers of what operators type.
enum SPIRE {
    static func id(_ text: String) throws(SPIFFEError) -> SPIFFEID { try SPIFFEID(text) }

    /// - Throws: `CommandFailure` that names the flag.
    static func id(_ text: String, flag name: String) throws -> SPIFFEID {
        do throws(SPIFFEError) {
            return try SPIFFEID(text)
        } catch {
            throw CommandFailure("invalid value \(GoText.quoted(text)) for flag -\(name): \(error.message)")
        }
    }

    /// - Throws: `CommandFailure`.
    static func selector(_ text: String) throws -> Spire_Api_Types_Selector {
        // A byte, not a letter: what follows may begin with a mark that a letter would swallow.
        guard let colon = text.utf8.firstIndex(of: UInt8(ascii: ":")) else {
            throw CommandFailure("selector \(GoText.quoted(text)) must be formatted as type:value")
        }
        var selector = Spire_Api_Types_Selector()
        selector.type = String(text[..<colon])
        selector.value = String(text[text.utf8.index(after: colon)...])
        return selector
    }

    /// - Throws: `CommandFailure`.
    static func ttl(_ value: Int, _ name: String) throws -> Int32 {
        guard let ttl = Int32(exactly: value) else {
            throw CommandFailure(
                "invalid value for \(name): integer overflow: \(value) cannot be represented in 32 bits")
        }
        return ttl
    }

    static func selectorMatch(_ text: String) -> Spire_Api_Types_SelectorMatch.MatchBehavior? {
        switch text {
        case "exact": .matchExact
        case "subset": .matchSubset
        case "superset": .matchSuperset
        case "any": .matchAny
        default: nil
        }
    }

    static func federatesWithMatch(_ text: String) -> Spire_Api_Types_FederatesWithMatch.MatchBehavior? {
        switch text {
        case "exact": .matchExact
        case "subset": .matchSubset
        case "superset": .matchSuperset
        case "any": .matchAny
        default: nil
        }
    }
}

extension Spire_Api_Types_Status {
    /// The status as a batch item's failure is printed: `(code: NotFound, msg: "…")`.
    var described: String {
        let name = StatusCode(rawValue: Int(code))?.goName ?? "Code(\(code))"
        return "(code: \(name), msg: \(GoText.quoted(message)))"
    }

    var isOK: Bool { code == 0 }
}
