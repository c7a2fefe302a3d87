// SPDX-License-Identifier: Apache-2.0

import APIProtos
import CLISupport
import RPC
import SwiftProtobuf

struct LocalAuthorityJWTShow: Command {
    static let name = "localauthority jwt show"
    static let synopsis = "Shows the local JWT authorities"
    private let connection: ServerConnectionFlags
    private let output: Flag<OutputFormat>

    init(_ flags: FlagSet) {
        connection = ServerConnectionFlags(flags)
        output = flags.output()
    }

    func run(_ console: Console) async throws {
        let states = try await connection.withServer(console) { client in
            do {
                return try await client.unary(LocalAuthorityMethods.getJWTAuthorityState, .init())
            } catch {
                throw CommandFailure("could not get JWT authorities: \(error)")
            }
        }
        AuthorityText.show(
            console, output.value, .jwt, active: states.hasActive ? states.active : nil,
            prepared: states.hasPrepared ? states.prepared : nil, old: states.hasOld ? states.old : nil)
    }
}

struct LocalAuthorityJWTPrepare: Command {
    static let name = "localauthority jwt prepare"
    static let synopsis = "Makes a new JWT authority and publishes it, without signing with it yet"
    private let connection: ServerConnectionFlags
    private let output: Flag<OutputFormat>

    init(_ flags: FlagSet) {
        connection = ServerConnectionFlags(flags)
        output = flags.output()
    }

    func run(_ console: Console) async throws {
        let state = try await connection.withServer(console) { client in
            do {
                return try await client.unary(LocalAuthorityMethods.prepareJWTAuthority, .init()).preparedAuthority
            } catch {
                throw CommandFailure("could not prepare JWT authority: \(error)")
            }
        }
        AuthorityText.show(console, output.value, .jwt, "Prepared", state)
    }
}

struct LocalAuthorityJWTActivate: Command {
    static let name = "localauthority jwt activate"
    static let synopsis = "Signs with the prepared JWT authority from now on"
    private let connection: ServerConnectionFlags
    private let output: Flag<OutputFormat>
    private let authorityID: Flag<String>

    init(_ flags: FlagSet) {
        connection = ServerConnectionFlags(flags)
        output = flags.output()
        authorityID = AuthorityText.authorityID(flags, .jwt, "activate")
    }

    func run(_ console: Console) async throws {
        let id = try AuthorityText.required(authorityID)
        let state = try await connection.withServer(console) { client in
            do {
                return try await client.unary(
                    LocalAuthorityMethods.activateJWTAuthority, .with { $0.authorityID = id }
                ).activatedAuthority
            } catch {
                throw CommandFailure("could not activate JWT authority: \(error)")
            }
        }
        AuthorityText.show(console, output.value, .jwt, "Activated", state)
    }
}

struct LocalAuthorityJWTTaint: Command {
    static let name = "localauthority jwt taint"
    static let synopsis = "Marks the previous JWT authority as no longer to be trusted"
    private let connection: ServerConnectionFlags
    private let output: Flag<OutputFormat>
    private let authorityID: Flag<String>

    init(_ flags: FlagSet) {
        connection = ServerConnectionFlags(flags)
        output = flags.output()
        authorityID = AuthorityText.authorityID(flags, .jwt, "taint")
    }

    func run(_ console: Console) async throws {
        let id = try AuthorityText.required(authorityID)
        let state = try await connection.withServer(console) { client in
            do {
                return try await client.unary(
                    LocalAuthorityMethods.taintJWTAuthority, .with { $0.authorityID = id }
                ).taintedAuthority
            } catch {
                throw CommandFailure("could not taint JWT authority: \(error)")
            }
        }
        AuthorityText.show(console, output.value, .jwt, "Tainted", state)
    }
}

struct LocalAuthorityJWTRevoke: Command {
    static let name = "localauthority jwt revoke"
    static let synopsis = "Removes the previous, tainted JWT authority from the bundle"
    private let connection: ServerConnectionFlags
    private let output: Flag<OutputFormat>
    private let authorityID: Flag<String>

    init(_ flags: FlagSet) {
        connection = ServerConnectionFlags(flags)
        output = flags.output()
        authorityID = AuthorityText.authorityID(flags, .jwt, "revoke")
    }

    func run(_ console: Console) async throws {
        let id = try AuthorityText.required(authorityID)
        let state = try await connection.withServer(console) { client in
            do {
                return try await client.unary(
                    LocalAuthorityMethods.revokeJWTAuthority, .with { $0.authorityID = id }
                ).revokedAuthority
            } catch {
                throw CommandFailure("could not revoke JWT authority: \(error)")
            }
        }
        AuthorityText.show(console, output.value, .jwt, "Revoked", state)
    }
}
