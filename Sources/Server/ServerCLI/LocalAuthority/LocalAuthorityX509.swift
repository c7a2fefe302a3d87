// SPDX-License-Identifier: Apache-2.0

import APIProtos
import CLISupport
import RPC
import SwiftProtobuf

struct LocalAuthorityX509Show: Command {
    static let name = "localauthority x509 show"
    static let synopsis = "Shows the local X.509 authorities"
    private let connection: ServerConnectionFlags
    private let output: Flag<OutputFormat>

    init(_ flags: FlagSet) {
        connection = ServerConnectionFlags(flags)
        output = flags.output()
    }

    func run(_ console: Console) async throws {
        let states = try await connection.withServer(console) { client in
            do {
                return try await client.unary(LocalAuthorityMethods.getX509AuthorityState, .init())
            } catch {
                throw CommandFailure("could not get X.509 authorities: \(error)")
            }
        }
        AuthorityText.show(
            console, output.value, .x509, active: states.hasActive ? states.active : nil,
            prepared: states.hasPrepared ? states.prepared : nil, old: states.hasOld ? states.old : nil)
    }
}

struct LocalAuthorityX509Prepare: Command {
    static let name = "localauthority x509 prepare"
    static let synopsis = "Makes a new X.509 authority and publishes it, without signing with it yet"
    private let connection: ServerConnectionFlags
    private let output: Flag<OutputFormat>

    init(_ flags: FlagSet) {
        connection = ServerConnectionFlags(flags)
        output = flags.output()
    }

    func run(_ console: Console) async throws {
        let state = try await connection.withServer(console) { client in
            do {
                return try await client.unary(LocalAuthorityMethods.prepareX509Authority, .init()).preparedAuthority
            } catch {
                throw CommandFailure("could not prepare X.509 authority: \(error)")
            }
        }
        AuthorityText.show(console, output.value, .x509, "Prepared", state)
    }
}

struct LocalAuthorityX509Activate: Command {
    static let name = "localauthority x509 activate"
    static let synopsis = "Signs with the prepared X.509 authority from now on"
    private let connection: ServerConnectionFlags
    private let output: Flag<OutputFormat>
    private let authorityID: Flag<String>

    init(_ flags: FlagSet) {
        connection = ServerConnectionFlags(flags)
        output = flags.output()
        authorityID = AuthorityText.authorityID(flags, .x509, "activate")
    }

    func run(_ console: Console) async throws {
        let id = try AuthorityText.required(authorityID)
        let state = try await connection.withServer(console) { client in
            do {
                return try await client.unary(
                    LocalAuthorityMethods.activateX509Authority, .with { $0.authorityID = id }
                ).activatedAuthority
            } catch {
                throw CommandFailure("could not activate X.509 authority: \(error)")
            }
        }
        AuthorityText.show(console, output.value, .x509, "Activated", state)
    }
}

struct LocalAuthorityX509Taint: Command {
    static let name = "localauthority x509 taint"
    static let synopsis = "Marks the previous X.509 authority as no longer to be trusted"
    private let connection: ServerConnectionFlags
    private let output: Flag<OutputFormat>
    private let authorityID: Flag<String>

    init(_ flags: FlagSet) {
        connection = ServerConnectionFlags(flags)
        output = flags.output()
        authorityID = AuthorityText.authorityID(flags, .x509, "taint")
    }

    func run(_ console: Console) async throws {
        let id = try AuthorityText.required(authorityID)
        let state = try await connection.withServer(console) { client in
            do {
                return try await client.unary(
                    LocalAuthorityMethods.taintX509Authority, .with { $0.authorityID = id }
                ).taintedAuthority
            } catch {
                throw CommandFailure("could not taint X.509 authority: \(error)")
            }
        }
        AuthorityText.show(console, output.value, .x509, "Tainted", state)
    }
}

struct LocalAuthorityX509Revoke: Command {
    static let name = "localauthority x509 revoke"
    static let synopsis = "Removes the previous, tainted X.509 authority from the bundle"
    private let connection: ServerConnectionFlags
    private let output: Flag<OutputFormat>
    private let authorityID: Flag<String>

    init(_ flags: FlagSet) {
        connection = ServerConnectionFlags(flags)
        output = flags.output()
        authorityID = AuthorityText.authorityID(flags, .x509, "revoke")
    }

    func run(_ console: Console) async throws {
        let id = try AuthorityText.required(authorityID)
        let state = try await connection.withServer(console) { client in
            do {
                return try await client.unary(
                    LocalAuthorityMethods.revokeX509Authority, .with { $0.authorityID = id }
                ).revokedAuthority
            } catch {
                throw CommandFailure("could not revoke X.509 authority: \(error)")
            }
        }
        AuthorityText.show(console, output.value, .x509, "Revoked", state)
    }
}
