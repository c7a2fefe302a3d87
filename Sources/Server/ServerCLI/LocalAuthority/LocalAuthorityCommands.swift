// SPDX-License-Identifier: Apache-2.0

import APIProtos
import CLISupport
import RPC

struct LocalAuthorityShow<Authority: LocalAuthorityKind>: Command {
    static var name: String { "localauthority \(Authority.word) show" }
    static var synopsis: String { "Shows the local \(Authority.kind.rawValue) authorities" }
    private let connection: ServerConnectionFlags
    private let output: Flag<OutputFormat>

    init(_ flags: FlagSet) {
        connection = ServerConnectionFlags(flags)
        output = flags.output()
    }

    func run(_ console: Console) async throws {
        let states = try await connection.withServer(console) { client in
            do {
                return try await Authority.states(client)
            } catch {
                throw CommandFailure("could not get \(Authority.kind.rawValue) authorities: \(error.harmless)")
            }
        }
        AuthorityText.show(
            console, output.value, Authority.kind, active: states.active, prepared: states.prepared, old: states.old)
    }
}

struct LocalAuthorityPrepare<Authority: LocalAuthorityKind>: Command {
    static var name: String { "localauthority \(Authority.word) prepare" }
    static var synopsis: String {
        "Makes a new \(Authority.kind.rawValue) authority and publishes it, without signing with it yet"
    }
    private let connection: ServerConnectionFlags
    private let output: Flag<OutputFormat>

    init(_ flags: FlagSet) {
        connection = ServerConnectionFlags(flags)
        output = flags.output()
    }

    func run(_ console: Console) async throws {
        let state = try await connection.withServer(console) { client in
            do {
                return try await Authority.prepare(client)
            } catch {
                throw CommandFailure("could not prepare \(Authority.kind.rawValue) authority: \(error.harmless)")
            }
        }
        AuthorityText.show(console, output.value, Authority.kind, "Prepared", state)
    }
}

/// What can be done to an authority that is named.
protocol LocalAuthorityVerb: SendableMetatype {
    /// In command names and failures.
    static var word: String { get }
    /// Before the result.
    static var done: String { get }
    static func synopsis(_ kind: String) -> String
    static func call<Authority: LocalAuthorityKind>(
        _ authority: Authority.Type, _ client: RPCClient, _ id: String
    ) async throws -> AuthorityStateMessage
}

enum ActivateAuthority: LocalAuthorityVerb {
    static let word = "activate"
    static let done = "Activated"
    static func synopsis(_ kind: String) -> String { "Signs with the prepared \(kind) authority from now on" }
    static func call<Authority: LocalAuthorityKind>(
        _ authority: Authority.Type, _ client: RPCClient, _ id: String
    ) async throws -> AuthorityStateMessage { try await authority.activate(client, id) }
}

enum TaintAuthority: LocalAuthorityVerb {
    static let word = "taint"
    static let done = "Tainted"
    static func synopsis(_ kind: String) -> String {
        "Marks the previous \(kind) authority as no longer to be trusted"
    }
    static func call<Authority: LocalAuthorityKind>(
        _ authority: Authority.Type, _ client: RPCClient, _ id: String
    ) async throws -> AuthorityStateMessage { try await authority.taint(client, id) }
}

enum RevokeAuthority: LocalAuthorityVerb {
    static let word = "revoke"
    static let done = "Revoked"
    static func synopsis(_ kind: String) -> String { "Removes the previous, tainted \(kind) authority from the bundle" }
    static func call<Authority: LocalAuthorityKind>(
        _ authority: Authority.Type, _ client: RPCClient, _ id: String
    ) async throws -> AuthorityStateMessage { try await authority.revoke(client, id) }
}

struct LocalAuthorityChange<Authority: LocalAuthorityKind, Verb: LocalAuthorityVerb>: Command {
    static var name: String { "localauthority \(Authority.word) \(Verb.word)" }
    static var synopsis: String { Verb.synopsis(Authority.kind.rawValue) }
    private let connection: ServerConnectionFlags
    private let output: Flag<OutputFormat>
    private let authorityID: Flag<String>

    init(_ flags: FlagSet) {
        connection = ServerConnectionFlags(flags)
        output = flags.output()
        authorityID = AuthorityText.authorityID(flags, Authority.kind, Verb.word)
    }

    func run(_ console: Console) async throws {
        let id = try AuthorityText.required(authorityID)
        let state = try await connection.withServer(console) { client in
            do {
                return try await Verb.call(Authority.self, client, id)
            } catch {
                throw CommandFailure("could not \(Verb.word) \(Authority.kind.rawValue) authority: \(error.harmless)")
            }
        }
        AuthorityText.show(console, output.value, Authority.kind, Verb.done, state)
    }
}
