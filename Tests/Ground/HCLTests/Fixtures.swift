// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials

/// Finds the texts the tests read.
enum Fixtures {
    static let root = packageRoot + "/Tests/Fixtures/hcl"
    /// Real files kept outside the repository; `nil` on machines without them.
    static let samples: String? = {
        let places = [ProcessInfo.processInfo.environment["SPIRE_SAMPLES"], packageRoot + "/../shared/samples"]
        return places.compactMap(\.self).first { FileManager.default.fileExists(atPath: $0) }
    }()

    private static let packageRoot = #filePath.split(separator: "/").dropLast(4).map { "/" + $0 }.joined()

    static func bytes(_ path: String) throws -> [UInt8] { Array(try Data(contentsOf: URL(filePath: path))) }

    /// Every file below `folder` with one of these endings, sorted.
    static func files(under folder: String, endings: [String]) throws -> [String] {
        try FileManager.default.subpathsOfDirectory(atPath: folder).sorted()
            .filter { path in endings.contains { path.hasSuffix($0) } }.map { "\(folder)/\($0)" }
    }

    /// Rows of a tab-separated table: file, result, line.
    static func expectations(_ folder: String) throws -> [(file: String, parses: Bool, line: Int?)] {
        String(decoding: try bytes(folder + "/expectations.tsv"), as: UTF8.self).split(separator: "\n")
            .filter { !$0.hasPrefix("#") }
            .map { row in
                let cells = row.split(separator: "\t")
                return ("\(folder)/\(cells[0])", cells[1] == "ok", cells.count > 2 ? Int(cells[2]) : nil)
            }
    }
}
