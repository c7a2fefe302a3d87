// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// State the original left behind, where the machine has it.
enum Samples {
    static let sqlite: String? = {
        let root = #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
        var places = ["/" + root + "/../shared/samples"]
        if let named = getenv("SPIRE_SAMPLES") { places.insert(String(cString: named), at: 0) }
        return places.map { $0 + "/spire-state/sqlite/server/datastore.sqlite3" }.first { access($0, R_OK) == 0 }
    }()
}
