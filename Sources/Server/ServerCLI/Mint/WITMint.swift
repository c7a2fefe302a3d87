// SPDX-License-Identifier: Apache-2.0

import APIProtos
import CLISupport
import FoundationEssentials
import Groundwork
import Issuance
import RPC

/// Offered only while `SPIRE_SERVER_FFLAGS` names `wit-svid`.
struct WITMint: Command {
    static let name = "wit mint"
    static let synopsis = "Mints a WIT-SVID"
    private let connection: ServerConnectionFlags
    private let output: Flag<OutputFormat>
    private let spiffeID: Flag<String>
    private let keyType: Flag<String>
    private let signingAlgorithm: Flag<String>
    private let ttl: Flag<Duration>
    private let write: Flag<String>

    init(_ flags: FlagSet) {
        connection = ServerConnectionFlags(flags)
        output = flags.output()
        spiffeID = flags.string("spiffeID", "", "SPIFFE ID of the WIT-SVID")
        keyType = flags.string("keyType", "ec-p256", "Key type of the WIT-SVID")
        signingAlgorithm = flags.string(
            "signingAlgorithm", "ES256", "Signing algorithm for the workload signing key")
        ttl = flags.duration("ttl", .zero, "TTL of the WIT-SVID")
        write = flags.string("write", "", "Directory to write output to instead of stdout")
    }

    func run(_ console: Console) async throws {
        guard !spiffeID.value.isEmpty else { throw CommandFailure("spiffeID must be specified") }
        var request = Spire_Api_Server_Svid_V1_MintWITSVIDRequest()
        request.id = try Spire_Api_Types_SPIFFEID(flag: "spiffeID", spiffeID.value)
        request.ttl = try SPIRE.ttl(MintedTTL.seconds(ttl.value), "TTL")
        let key = try LocalKey.generate(Self.keyType(keyType.value, for: signingAlgorithm.value))
        request.publicKey = Data(key.publicKey.spki)
        request.signingAlgorithm = signingAlgorithm.value
        let wanted = request
        let svid = try await connection.withServer(console) { client in
            do {
                return try await client.unary(SVIDMethods.mintWITSVID, wanted).svid
            } catch {
                throw CommandFailure("unable to mint SVID: \(error.harmless)")
            }
        }
        guard !svid.token.isEmpty else { throw CommandFailure("server response missing token") }
        MintedTTL.warn(console, "WIT-SVID", asked: ttl.value, expiresAt: svid.expiresAt)
        let jwk = try key.privateJWK().reveal { String(decoding: $0, as: UTF8.self) }
        // Files are written whatever the output format, as in the original.
        guard write.value.isEmpty else { return try writeFiles(console, svid.token, jwk) }
        let json: JSONNode = .record([.init("private_key", .string(jwk)), .init("svid", JSONNode(svid))])
        console.show(output.value, json: json) { console.out(svid.token.harmless + "\n" + jwk + "\n") }
    }

    private func writeFiles(_ console: Console, _ token: String, _ jwk: String) throws {
        for (title, file, what, text) in [
            ("WIT-SVID", "token", "token", token), ("Private key", "key", "key", jwk),
        ] {
            let path = write.value + (write.value.hasSuffix("/") ? "" : "/") + file
            do {
                try InputFile.write(text, to: path, mode: 0o600)
            } catch {
                throw CommandFailure("unable to write \(what): \(error)")
            }
            console.out("\(title) written to \(path)\n")
        }
    }

    /// The type of key to make. The words are the original's.
    private static func keyType(_ name: String, for algorithm: String) throws -> KeyType {
        /// Between the original's quotes, with nothing that a terminal would act upon.
        func shown(_ text: String) -> Substring { GoText.quoted(text).dropFirst().dropLast() }
        let allowed: [KeyType]
        switch algorithm {
        case "RS256", "RS384", "RS512", "PS256", "PS384", "PS512":
            allowed = [.rsa2048, .rsa4096]
            guard allowed.contains(where: { $0.rawValue == name }) else {
                throw CommandFailure("unsupported key type '\(shown(name))' for signing algorithm '\(algorithm)'")
            }
        case "ES256": allowed = [.ecP256]
        case "ES384": allowed = [.ecP384]
        default: throw CommandFailure("unsupported signing algorithm: \(shown(algorithm))")
        }
        guard let type = allowed.first(where: { $0.rawValue == name }) else {
            throw CommandFailure("unsupported key type '\(shown(name))' for '\(algorithm)' signing algorithm")
        }
        return type
    }
}
