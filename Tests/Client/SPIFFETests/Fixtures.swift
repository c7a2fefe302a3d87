// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Testing
import X509

@testable import SPIFFE

/// The files under `Tests/Fixtures/client`; `make.py` there made them.
enum Fixtures {
    static let chains = load("chains.json")
    static let tokens = load("tokens.json")
    /// 2027-01-01: the time most fixtures are made for.
    static let time = Date(timeIntervalSince1970: 1_798_761_600)
    static let trustDomain = domain("example.org")
    static let otherTrustDomain = domain("other.org")

    static func load(_ name: String) -> JSONObject {
        let folder = URL(filePath: #filePath).deletingLastPathComponent()
        let file = folder.appending(path: "../../Fixtures/client/\(name)")
        guard let data = try? Data(contentsOf: file),
            let object = try? JSONValue.parse([UInt8](data), maximumLength: 8 << 20).object
        else { preconditionFailure("cannot read \(file.path)") }
        return object
    }

    static func domain(_ name: String) -> TrustDomain {
        guard let domain = try? TrustDomain(name) else { preconditionFailure("bad trust domain") }
        return domain
    }

    static func der(_ value: JSONValue?) -> [UInt8] {
        guard let text = value?.string, let bytes = Base64.decode(text.utf8, .standard) else {
            preconditionFailure("fixture without base64")
        }
        return bytes
    }

    static func certificates(_ value: JSONValue?) throws -> [Certificate] {
        try (value?.array ?? []).map { try Certificate(spiffeDER: der($0)) }
    }
}

/// One member of a list in a fixture, shown by its name.
struct FixtureCase: Sendable, CustomTestStringConvertible {
    let name: String
    let members: JSONObject
    var testDescription: String { name }

    static func all(_ file: JSONObject, _ list: String) -> [FixtureCase] {
        (file[list]?.array ?? []).compactMap { value in
            value.object.map { FixtureCase(name: $0["name"]?.string ?? "", members: $0) }
        }
    }

    var time: Date { Date(timeIntervalSince1970: members["time"]?.double ?? 0) }
    var error: String? { members["error"]?.string }
}

func message(of body: () throws -> Void) -> String? {
    do {
        try body()
        return nil
    } catch {
        return "\(error)"
    }
}
