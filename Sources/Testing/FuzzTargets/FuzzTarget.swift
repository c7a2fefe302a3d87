// SPDX-License-Identifier: Apache-2.0

/// What a decoder made of some bytes.
package enum Verdict: Sendable, Hashable, CustomStringConvertible {
    /// With the value as text, to be compared.
    case accepted(String)
    /// With what the sender is told.
    case refused(String)

    package var description: String {
        switch self {
        case .accepted(let value): "accepted: \(value)"
        case .refused(let reason): "refused: \(reason)"
        }
    }
}

/// A decoder did what it must never do.
package struct BrokenPromise: Error, Sendable, CustomStringConvertible {
    package let description: String
    init(_ description: String) { self.description = description }
}

/// A decoder of outside bytes, with the promises it has to keep.
package enum FuzzTarget: String, CaseIterable, Sendable {
    /// HCL, and a server's configuration in it.
    case hcl
    /// YAML, and the files of `entry apply` in it.
    case yaml
    case json
    /// The `-data` files of `entry create`.
    case entries
    /// The `-data` files of `federation create`.
    case federation
    /// SPIFFE IDs and trust domain names.
    case spiffeid
    case selector
    /// DNS names, URLs, durations and other short texts.
    case words
    case csr
    case certificate
    case pem
    /// Private and public keys.
    case pkcs8
    case jwt
    /// Bundle documents and JWK sets.
    case bundle
    /// SPIRE's `keys.json`.
    case keyfile
    /// Connection strings of the three databases.
    case location
    /// Backup files.
    case backup
    /// Audit logs and the file of a log's state.
    case audit
    /// The PROXY protocol's header.
    case proxy
    /// HTTP/2 and gRPC, from a client's first byte on.
    case rpc
    /// What gRPC answers carry in trailers.
    case status

    /// Feeds the decoder.
    /// - Throws: `BrokenPromise`.
    package func feed(_ bytes: [UInt8]) throws -> Verdict {
        switch self {
        case .hcl: try Self.hcl(bytes)
        case .yaml: try Self.yaml(bytes)
        case .json: try Self.json(bytes)
        case .entries: try Self.entries(bytes)
        case .federation: try Self.federation(bytes)
        case .spiffeid: try Self.spiffeID(bytes)
        case .selector: try Self.selector(bytes)
        case .words: try Self.words(bytes)
        case .csr: try Self.csr(bytes)
        case .certificate: try Self.certificate(bytes)
        case .pem: try Self.pem(bytes)
        case .pkcs8: try Self.pkcs8(bytes)
        case .jwt: try Self.jwt(bytes)
        case .bundle: try Self.bundle(bytes)
        case .keyfile: try Self.keyFile(bytes)
        case .location: try Self.location(bytes)
        case .backup: try Self.backup(bytes)
        case .audit: try Self.audit(bytes)
        case .proxy: try Self.proxy(bytes)
        case .rpc: try Self.rpc(bytes)
        case .status: try Self.status(bytes)
        }
    }

    /// - Throws: `BrokenPromise` unless it was kept.
    static func promise(_ isKept: Bool, _ what: @autoclosure () -> String) throws {
        if !isKept { throw BrokenPromise(what()) }
    }

    /// Runs a decoder; what it throws must be words for whoever sent the bytes.
    static func attempt<Value>(_ body: () throws -> Value) throws -> Result<Value, Refusal> {
        do {
            return .success(try body())
        } catch let broken as BrokenPromise {
            throw broken
        } catch {
            let text = "\(error)"
            try promise(!text.isEmpty, "refused without a word")
            // An error that was not made for people shows its type: `DecodingError(…)`, `ASN1Error.…`, `Optional(…)`.
            let isForPeople = ["Error(", "Error.", "Optional(", ".swift"].allSatisfy { !text.contains($0) }
            try promise(isForPeople, "refused in words of the program: \(text)")
            return .failure(Refusal(text: text))
        }
    }

    struct Refusal: Error {
        let text: String
    }

    /// The verdict of a decoder whose value is shown by `show`.
    static func verdict<Value>(_ body: () throws -> Value, _ show: (Value) throws -> String) throws -> Verdict {
        switch try attempt(body) {
        case .success(let value): .accepted(try show(value))
        case .failure(let refusal): .refused(refusal.text)
        }
    }

    static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    static func hex(_ bytes: some Sequence<UInt8>) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    /// Whether two texts are the same bytes: `==` holds for two spellings of one letter.
    static func same(_ a: String, _ b: String) -> Bool { a.utf8.elementsEqual(b.utf8) }
}
