// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Groundwork
import SPIFFE
import X509

/// Whom to trust for web certificates.
enum WebRoots {
    private static let limit = 16 << 20

    /// The file that `SSL_CERT_FILE` names, as the original's language looks for it; `nil` for the machine's own.
    /// - Throws: `io` when the file cannot be used: with fewer roots than asked for, nothing would tell why.
    static func fromEnvironment(
        _ environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws -> [Certificate]? {
        guard let path = environment["SSL_CERT_FILE"], !path.isEmpty else { return nil }
        guard let text = try AtomicFile.read(path, limit: limit) else {
            throw SpireError(.io, "SSL_CERT_FILE: open \(path): no such file or directory")
        }
        do {
            return try Certificate.sequence(pem: String(decoding: text, as: UTF8.self))
        } catch {
            throw SpireError(.io, "SSL_CERT_FILE: \(path): \(error.message)")
        }
    }
}
