// SPDX-License-Identifier: Apache-2.0

import CLISupport
import FoundationEssentials
import Groundwork
import RPC
import SPIFFE
import WorkloadProtos
import X509

/// `api fetch`, which is `api fetch x509`.
struct FetchDefault: Command {
    static let name = "api fetch"
    static let usageName = "fetch x509"
    static let synopsis = FetchX509.synopsis
    static let helpEnding = ""
    static let repeatsFlagErrors = true
    private let command: FetchX509
    init(_ flags: FlagSet) { command = FetchX509(flags) }
    func run(_ console: Console) async throws { try await command.run(console) }
}

struct FetchX509: Command {
    static let name = "api fetch x509"
    static let usageName = "fetch x509"
    static let synopsis = "Fetches X509 SVIDs from the Workload API"
    static let helpEnding = ""
    static let repeatsFlagErrors = true
    private let connection: WorkloadConnectionFlags
    private let output: Flag<OutputFormat>
    private let silent: Flag<Bool>
    private let write: Flag<String>
    private let timeout: Flag<Duration>

    init(_ flags: FlagSet) {
        connection = WorkloadConnectionFlags(flags)
        output = flags.output()
        silent = flags.bool("silent", "Suppress stdout")
        write = flags.string(
            "write", "",
            "Write SVID data to the specified path (optional; only available for pretty output format)")
        timeout = flags.duration("timeout", .seconds(5), "Time to wait for a response", kind: "value")
    }

    func run(_ console: Console) async throws {
        let time = SystemTime()
        let start = time.uptime
        let options = WorkloadConnectionFlags.options(timeout: timeout.value)
        let response = try await connection.withAgent(console) { client in
            try await client.serverStreaming(WorkloadAPIMethods.fetchX509SVID, .init(), options: options) {
                guard let first = try await $0.next() else {
                    throw RPCStatus(.unavailable, "the stream ended without an answer")
                }
                return first
            }
        }
        try console.show(output.value, json: Self.json(response)) {
            let update = try X509Update(response, now: time.now)
            if !silent.value {
                console.out(update.text(elapsed: time.uptime - start, hints: true, bareNames: false))
            }
            if !write.value.isEmpty { try writeFiles(update, console) }
        }
    }

    private func writeFiles(_ update: X509Update, _ console: Console) throws {
        let folder = write.value.hasSuffix("/") ? String(write.value.dropLast()) : write.value
        func put(_ what: String, _ name: String, _ text: String, _ mode: UInt32) throws {
            console.out("Writing \(what) to file \(folder)/\(name).\n")
            do {
                try AtomicFile.write(Array(text.utf8), to: "\(folder)/\(name)", mode: mode)
            } catch {
                throw CommandFailure("error writing \(what): \(error)")
            }
        }
        for (number, identity) in update.identities.enumerated() {
            try put(
                "SVID #\(number)", "svid.\(number).pem", PEMText.certificates(identity.svid.chain.map(\.der)), 0o644)
            try put(
                "key #\(number)", "svid.\(number).key", PEMText.block("PRIVATE KEY", identity.svid.privateKey.pkcs8),
                0o600)
            try put(
                "bundle #\(number)", "bundle.\(number).pem",
                PEMText.certificates(identity.bundle.authorities.map(\.der)), 0o644)
            for (index, bundle) in update.federated.enumerated() {
                try put(
                    "federated bundle #\(index) for trust domain \(bundle.key.harmless)",
                    "federated_bundle.\(number).\(index).pem", PEMText.certificates(bundle.certificates.map(\.der)),
                    0o644)
            }
        }
    }

    private static func json(_ response: Workload_X509SVIDResponse) -> JSONNode {
        .object([
            "crl": .array(response.crl.map { .bytes($0) }),
            "federated_bundles": .object(response.federatedBundles.mapValues { .bytes($0) }),
            "svids": .array(
                response.svids.map {
                    .object([
                        "spiffe_id": .string($0.spiffeID), "x509_svid": .bytes($0.x509Svid),
                        "x509_svid_key": .bytes($0.x509SvidKey), "bundle": .bytes($0.bundle),
                        "hint": .string($0.hint),
                    ])
                }),
        ])
    }
}
