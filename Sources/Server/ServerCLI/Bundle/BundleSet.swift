// SPDX-License-Identifier: Apache-2.0

import APIProtos
import CLISupport
import FoundationEssentials
import RPC
import SPIFFE
import X509

struct BundleSet: Command {
    static let name = "bundle set"
    static let synopsis = "Creates or updates federated bundle data"
    private let connection: ServerConnectionFlags
    private let output: Flag<OutputFormat>
    private let id: Flag<String>
    private let path: Flag<String>
    private let format: Flag<String>

    init(_ flags: FlagSet) {
        connection = ServerConnectionFlags(flags)
        output = flags.output()
        id = flags.string("id", "", "SPIFFE ID of the trust domain")
        path = flags.string("path", "", "Path to the bundle data")
        format = flags.string("format", "pem", "The format of the bundle data. Either \"pem\" or \"spiffe\".")
    }

    func run(_ console: Console) async throws {
        guard !id.value.isEmpty else { throw CommandFailure("id flag is required") }
        let format = try BundleFormat(format.value)
        let data: [UInt8]
        do {
            data = try InputFile.read(path.value.isEmpty ? "-" : path.value)
        } catch {
            throw CommandFailure("unable to load bundle data: \(error)")
        }
        var request = Spire_Api_Server_Bundle_V1_BatchSetFederatedBundleRequest()
        request.bundle = [try bundle(data, format)]
        let wanted = request
        let response = try await connection.withServer(console) { client in
            do {
                return try await client.unary(BundleMethods.batchSetFederatedBundle, wanted)
            } catch {
                throw CommandFailure("failed to set federated bundle: \(error)")
            }
        }
        let json: JSONNode = .object([
            "results": .array(
                response.results.map {
                    .object([
                        "status": JSONNode($0.status), "bundle": $0.hasBundle ? JSONNode($0.bundle) : .null,
                    ])
                })
        ])
        try console.show(output.value, json: json) {
            for result in response.results {
                guard result.status.isOK else {
                    throw CommandFailure("failed to set federated bundle: \(result.status.message)")
                }
                console.out("bundle set.\n")
            }
        }
    }

    private func bundle(_ data: [UInt8], _ format: BundleFormat) throws -> Spire_Api_Types_Bundle {
        let trustDomain = try TrustDomain(id.value)
        var bundle = Spire_Api_Types_Bundle()
        bundle.trustDomain = trustDomain.name
        func authority(_ certificate: Certificate) -> Spire_Api_Types_X509Certificate {
            var authority = Spire_Api_Types_X509Certificate()
            authority.asn1 = Data(certificate.der)
            return authority
        }
        switch format {
        case .pem:
            do {
                bundle.x509Authorities = try Certificate.sequence(pem: String(decoding: data, as: UTF8.self))
                    .map(authority)
            } catch {
                throw CommandFailure("unable to parse bundle data: \(error)")
            }
        case .spiffe:
            let document: SPIFFEBundle
            do {
                document = try SPIFFEBundle(trustDomain, document: data)
            } catch {
                throw CommandFailure("unable to parse to spiffe bundle: \(error)")
            }
            bundle.x509Authorities = document.x509Authorities.map(authority)
            bundle.jwtAuthorities = document.jwtAuthorities.map { key in
                var out = Spire_Api_Types_JWTKey()
                out.keyID = key.keyID
                out.publicKey = Data(key.publicKey.spki)
                return out
            }
            if let hint = document.refreshHint { bundle.refreshHint = hint.components.seconds }
            bundle.sequenceNumber = document.sequenceNumber
        }
        return bundle
    }
}
