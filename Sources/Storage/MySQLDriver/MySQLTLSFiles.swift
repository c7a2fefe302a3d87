// SPDX-License-Identifier: Apache-2.0

import Groundwork
import SQLDatastore

/// The PEM files named by `root_ca_path`, `client_cert_path` and `client_key_path`, looked at before the client library
/// sees them, so that a wrong one has the original's text.
struct MySQLTLSFiles: Sendable {
    /// Empty for none.
    var rootCA = ""
    var clientCertificate = ""
    var clientKey = ""

    /// Largest file read.
    private static let limit = 1 << 20

    /// - Throws: `invalid_argument`.
    init(_ configuration: SQLDatastoreConfiguration) throws {
        rootCA = configuration.rootCAPath
        if !configuration.clientCertPath.isEmpty, !configuration.clientKeyPath.isEmpty {
            clientCertificate = configuration.clientCertPath
            clientKey = configuration.clientKeyPath
        }
        if !rootCA.isEmpty {
            guard let text = Self.read(rootCA) else { throw Self.problem("cannot find Root CA defined in root_ca_path") }
            guard Self.holds("CERTIFICATE", text) else {
                throw Self.problem("failed to parse Root CA defined in root_ca_path")
            }
        }
        if !clientCertificate.isEmpty {
            guard let certificate = Self.read(clientCertificate), Self.holds("CERTIFICATE", certificate),
                let key = Self.read(clientKey), Self.holds("PRIVATE KEY", key)
            else {
                throw Self.problem("failed to load client certificate defined in client_cert_path and client_key_path")
            }
        }
    }

    var isEmpty: Bool { rootCA.isEmpty && clientCertificate.isEmpty }

    private static func read(_ path: String) -> String? {
        guard let bytes = try? AtomicFile.read(path, limit: limit) else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func holds(_ kind: String, _ text: String) -> Bool {
        let lines = text.split(whereSeparator: \.isNewline)
        guard let first = lines.firstIndex(where: { $0.hasPrefix("-----BEGIN ") && $0.hasSuffix(kind + "-----") }),
            let last = lines[first...].firstIndex(where: { $0.hasPrefix("-----END ") && $0.hasSuffix(kind + "-----") })
        else { return false }
        return last > first + 1
    }

    private static func problem(_ text: String) -> SpireError {
        SpireError(.invalid, "datastore-sql: invalid mysql config: " + text)
    }
}
