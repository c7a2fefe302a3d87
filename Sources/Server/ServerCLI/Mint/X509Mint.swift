// SPDX-License-Identifier: Apache-2.0

import APIProtos
import CLISupport
import FoundationEssentials
import Groundwork
import Issuance
import RPC
import SPIFFE

struct X509Mint: Command {
    static let name = "x509 mint"
    static let synopsis = "Mints an X509-SVID"
    private let connection: ServerConnectionFlags
    private let output: Flag<OutputFormat>
    private let spiffeID: Flag<String>
    private let ttl: Flag<Duration>
    private let dns: Flag<[String]>
    private let write: Flag<String>

    init(_ flags: FlagSet) {
        connection = ServerConnectionFlags(flags)
        output = flags.output()
        spiffeID = flags.string("spiffeID", "", "SPIFFE ID of the X509-SVID")
        ttl = flags.duration("ttl", .zero, "TTL of the X509-SVID")
        dns = flags.list("dns", "DNS name that will be included in SVID. Can be used more than once.")
        write = flags.string("write", "", "Directory to write output to instead of stdout")
    }

    func run(_ console: Console) async throws {
        guard !spiffeID.value.isEmpty else { throw CommandFailure("spiffeID must be specified") }
        let id = try SPIRE.id(spiffeID.value, flag: "spiffeID")
        let key = try LocalKey.generate(.ecP256)
        var request = Spire_Api_Server_Svid_V1_MintX509SVIDRequest()
        request.csr = Data(try CSR.make(key: key, uri: id, dnsNames: dns.value, subject: DistinguishedName()))
        request.ttl = try SPIRE.ttl(MintedTTL.seconds(ttl.value), "TTL")
        let wanted = request
        let (minted, bundle) = try await connection.withServer(console) { client in
            let minted: Spire_Api_Server_Svid_V1_MintX509SVIDResponse
            do {
                minted = try await client.unary(SVIDMethods.mintX509SVID, wanted)
            } catch {
                throw CommandFailure("unable to mint SVID: \(error.harmless)")
            }
            guard !minted.svid.certChain.isEmpty else { throw CommandFailure("server response missing SVID chain") }
            do {
                return (minted, try await client.unary(BundleMethods.getBundle, .init()))
            } catch {
                throw CommandFailure("unable to get bundle: \(error.harmless)")
            }
        }
        guard !bundle.x509Authorities.isEmpty else {
            throw CommandFailure("server response missing X509 Authorities")
        }
        MintedTTL.warn(console, "X509-SVID", asked: ttl.value, expiresAt: minted.svid.expiresAt)
        let roots = bundle.x509Authorities.map(\.asn1)
        let json: JSONNode = .record([
            .init("x509_svid", .array(minted.svid.certChain.map { .bytes($0) })),
            .init("private_key", .bytes(key.pkcs8.reveal { Data($0) })),
            .init("root_cas", .array(roots.map { .bytes($0) })),
        ])
        try console.show(output.value, json: json) {
            try show(console, chain: minted.svid.certChain, key: key, roots: roots)
        }
    }

    private func show(_ console: Console, chain: [Data], key: LocalKey, roots: [Data]) throws {
        let parts = [
            ("X509-SVID", "svid.pem", UInt32(0o644), PEMText.certificates(chain)),
            ("Private key", "key.pem", 0o600, key.pkcs8.reveal { PEMText.block("PRIVATE KEY", $0) }),
            ("Root CAs", "bundle.pem", 0o644, PEMText.certificates(roots)),
        ]
        for (title, file, mode, text) in parts {
            if write.value.isEmpty {
                console.out("\(title):\n\(text)\n")
            } else {
                let path = write.value + (write.value.hasSuffix("/") ? "" : "/") + file
                try InputFile.write(text, to: path, mode: mode)
                console.out("\(title) written to \(path)\n")
            }
        }
    }
}

/// Lifetimes of minted identities.
enum MintedTTL {
    /// Whole seconds, rounded up.
    static func seconds(_ ttl: Duration) -> Int {
        let (seconds, rest) = ttl.components
        return Int(seconds) + (rest > 0 ? 1 : 0)
    }

    /// Says when the server gave less than was asked for.
    static func warn(_ console: Console, _ kind: String, asked: Duration, expiresAt: Int64) {
        guard asked > .zero else { return }
        let remaining = Double(expiresAt) - SystemTime().now.timeIntervalSince1970
        if remaining < asked.inSeconds {
            console.err(
                "\(kind) lifetime was capped shorter than specified ttl; expires \"\(GoText.rfc3339(expiresAt))\"\n")
        }
    }
}
