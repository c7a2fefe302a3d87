// SPDX-License-Identifier: Apache-2.0

import APIProtos
import CLISupport
import RPC

struct JWTMint: Command {
    static let name = "jwt mint"
    static let synopsis = "Mints a JWT-SVID"
    private let connection: ServerConnectionFlags
    private let output: Flag<OutputFormat>
    private let spiffeID: Flag<String>
    private let ttl: Flag<Duration>
    private let audience: Flag<[String]>
    private let write: Flag<String>

    init(_ flags: FlagSet) {
        connection = ServerConnectionFlags(flags)
        output = flags.output()
        spiffeID = flags.string("spiffeID", "", "SPIFFE ID of the JWT-SVID")
        ttl = flags.duration("ttl", .zero, "TTL of the JWT-SVID")
        audience = flags.list("audience", "Audience claim that will be included in the SVID. Can be used more than once.")
        write = flags.string("write", "", "File to write token to instead of stdout")
    }

    func run(_ console: Console) async throws {
        guard !spiffeID.value.isEmpty else { throw CommandFailure("spiffeID must be specified") }
        guard !audience.value.isEmpty else { throw CommandFailure("at least one audience must be specified") }
        var request = Spire_Api_Server_Svid_V1_MintJWTSVIDRequest()
        request.id = try Spire_Api_Types_SPIFFEID(flag: "spiffeID", spiffeID.value)
        request.audience = audience.value
        request.ttl = try SPIRE.ttl(MintedTTL.seconds(ttl.value), "TTL")
        let wanted = request
        let svid = try await connection.withServer(console) { client in
            do {
                return try await client.unary(SVIDMethods.mintJWTSVID, wanted).svid
            } catch {
                throw CommandFailure("unable to mint SVID: \(error.harmless)")
            }
        }
        guard !svid.token.isEmpty else { throw CommandFailure("server response missing token") }
        MintedTTL.warn(console, "JWT-SVID", asked: ttl.value, expiresAt: svid.expiresAt)
        try console.show(output.value, json: .object(["svid": JSONNode(svid)])) {
            if write.value.isEmpty {
                console.out(svid.token.harmless + "\n")
            } else {
                try InputFile.write(svid.token, to: write.value, mode: 0o600)
                console.out("JWT-SVID written to \(write.value)\n")
            }
        }
    }
}
