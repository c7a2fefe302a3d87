// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Groundwork
import SPIFFE

/// Outputs of the original that are kept outside the repository: `SPIRE_SAMPLES`, else `../shared/samples` beside it.
/// Machines without them skip the tests that read them.
package enum Samples {
    /// `nil` where there are none.
    package static let folder: String? = {
        let root = #filePath.split(separator: "/").dropLast(4).map { "/" + $0 }.joined()
        let places = [ProcessInfo.processInfo.environment["SPIRE_SAMPLES"], root + "/../shared/samples"]
        return places.compactMap { $0 }.first { FileManager.default.fileExists(atPath: $0 + "/issued") }
    }()

    /// Reads a sample. - Returns: `nil`, with a message, where there are no samples.
    package static func bytes(_ path: String) throws -> [UInt8]? {
        guard let folder else {
            print("skipped: no samples of the original here; SPIRE_SAMPLES may name their folder")
            return nil
        }
        return try AtomicFile.read("\(folder)/\(path)")
    }

    /// The certificates of a PEM sample as DER.
    package static func certificates(_ path: String) throws -> [[UInt8]]? {
        guard let bytes = try bytes(path) else { return nil }
        return try PEMBlock.all(String(decoding: bytes, as: UTF8.self)).map(\.der)
    }
}
