// SPDX-License-Identifier: Apache-2.0

package import Datastore
import Groundwork

/// What every datastore has to do, as code that any implementation's tests run.
///
/// Each check gets a fresh, empty store and throws `ConformanceFailure` for the first thing that is not as it should be.
package enum DatastoreConformance {
    package struct Check: Sendable, CustomStringConvertible {
        /// A sentence that states the behaviour.
        package let description: String
        package let run: @Sendable (any Datastore) async throws -> Void

        init(_ description: String, _ run: @escaping @Sendable (any Datastore) async throws -> Void) {
            self.description = description
            self.run = run
        }
    }

    package static let all: [Check] = entries + listing + nodes + bundles + federation + small + entrySets
}

/// Says what a store did wrong.
package struct ConformanceFailure: Error, CustomStringConvertible {
    package let description: String
}

func require(
    _ condition: Bool, _ claim: @autoclosure () -> String, line: UInt = #line, file: StaticString = #fileID
) throws {
    if !condition { throw ConformanceFailure(description: "\(file):\(line): \(claim())") }
}

func requireEqual<Value: Equatable>(
    _ found: Value, _ expected: Value, line: UInt = #line, file: StaticString = #fileID
) throws {
    try require(found == expected, "found \(found), expected \(expected)", line: line, file: file)
}

/// Runs `body`, which has to fail with this code and, if given, exactly this text.
func requireFailure(
    _ code: SpireError.Code, _ text: String? = nil, line: UInt = #line, file: StaticString = #fileID,
    _ body: () async throws -> Void
) async throws {
    do {
        try await body()
    } catch let error as SpireError {
        try require(error.code == code, "failed with \(error.code.name): \(error)", line: line, file: file)
        if let text { try requireEqual(error.message, text, line: line, file: file) }
        return
    }
    throw ConformanceFailure(description: "\(file):\(line): expected a failure \(code.name)")
}

extension RegistrationEntry {
    /// An entry for tests: `/web` below `/node` with the selectors `unix:<value>`.
    package static func sample(
        _ path: String = "/web", parent: String = "/node", _ selectors: String..., id: String = ""
    ) -> RegistrationEntry {
        var entry = RegistrationEntry()
        entry.id = id
        entry.spiffeID = "spiffe://example.org" + path
        entry.parentID = "spiffe://example.org" + parent
        entry.selectors = (selectors.isEmpty ? ["uid:0"] : selectors).map { Selector(type: "unix", value: $0) }
        return entry
    }
}

extension EntryWriter {
    /// Creates an entry that has to be new.
    @discardableResult
    package func add(_ entry: RegistrationEntry) async throws -> RegistrationEntry {
        guard case .created(let created) = try await createEntry(entry) else {
            throw ConformanceFailure(description: "\(entry.spiffeID) was taken for one that is there already")
        }
        return created
    }
}

extension TrustBundle {
    /// Self-signed roots for tests, valid to 2040, expired in 2020, and valid to 2055.
    package static let sampleRoots: [(der: String, subjectKeyID: String, notAfter: Int64)] = [
        (
            """
            MIIBdDCCARqgAwIBAgIBATAKBggqhkjOPQQDAjARMQ8wDQYDVQQKDAZTUElGRkUwHhcNMjAwMTAxMDAwMDAwWhcNNDAwMTAxMDAwMDAw\
            WjARMQ8wDQYDVQQKDAZTUElGRkUwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQGXwCkRrIZIvU7rN/ZoyKthNd/HRYtHx1mh0PGt4a+\
            6IZjwzdmDeu4Q2am26uGc5XL8ulSIBPMrCHq3bURe+gjo2MwYTAPBgNVHRMBAf8EBTADAQH/MA4GA1UdDwEB/wQEAwIBBjAdBgNVHQ4E\
            FgQUah66W/vWIHNpkIXvBXPL6YNvSMUwHwYDVR0RBBgwFoYUc3BpZmZlOi8vZXhhbXBsZS5vcmcwCgYIKoZIzj0EAwIDSAAwRQIgO6UO\
            hK1EJgZpshrtjKHDnIFXLQM1mlHopT2WLVmiW4YCIQD9t+qPxTxKFS1xQWqRr9a1WGDxWa1mb2ytQ4SlTk2CEg==
            """, "6a1eba5bfbd62073699085ef0573cbe9836f48c5", 2_208_988_800
        ),
        (
            """
            MIIBczCCARqgAwIBAgIBATAKBggqhkjOPQQDAjARMQ8wDQYDVQQKDAZTUElGRkUwHhcNMTkwMTAxMDAwMDAwWhcNMjAwMTAxMDAwMDAw\
            WjARMQ8wDQYDVQQKDAZTUElGRkUwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAARXXLIRDJ8Y3UQyFWv9KO/K1mFDElARdKaRQm2swja4\
            keBaiTA2uMxL/zaUi+vRsKcWMnL84BPluEqFCgho96pto2MwYTAPBgNVHRMBAf8EBTADAQH/MA4GA1UdDwEB/wQEAwIBBjAdBgNVHQ4E\
            FgQUIK14T2N0ooxy8+6uqahGKphzJOwwHwYDVR0RBBgwFoYUc3BpZmZlOi8vZXhhbXBsZS5vcmcwCgYIKoZIzj0EAwIDRwAwRAIgPShQ\
            lUmKjqVLQL9ZO07V9rpBjBdlDd6xioOsBkINqFcCIAZnRFH64xoan3VxDUXaVT/AD07CgDyuewDWvS6Px0KV
            """, "20ad784f6374a28c72f3eeaea9a8462a987324ec", 1_577_836_800
        ),
        (
            """
            MIIBdzCCARygAwIBAgIBATAKBggqhkjOPQQDAjARMQ8wDQYDVQQKDAZTUElGRkUwIBcNMjAwMTAxMDAwMDAwWhgPMjA1NTAxMDEwMDAw\
            MDBaMBExDzANBgNVBAoMBlNQSUZGRTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABBDwBVQVYrSEJphHsWdajnd/j12DeKTDdBN5xGBG\
            +vhYAPJ6t3ZJPuhQlZbOGaIQ8VIEDYkG0xDdHLGdmmqWITGjYzBhMA8GA1UdEwEB/wQFMAMBAf8wDgYDVR0PAQH/BAQDAgEGMB0GA1Ud\
            DgQWBBS7n0k0E5USfRrVA7wl+a4O/ticiTAfBgNVHREEGDAWhhRzcGlmZmU6Ly9leGFtcGxlLm9yZzAKBggqhkjOPQQDAgNJADBGAiEA\
            g63SxE+K0vYSDdPpqvI9x0HJ5J3WzkNie+/YV+H00ekCIQCodKN3eMqis3GR1xM7wppbXKMWqNrV1l8kvG6K+ny3aQ==
            """, "bb9f49341395127d1ad503bc25f9ae0efed89c89", 2_682_374_400
        ),
    ]

    /// One of `sampleRoots` as an authority.
    package static func sampleRoot(_ index: Int) throws -> X509Authority {
        guard let der = decodeBase64(sampleRoots[index].der) else {
            throw ConformanceFailure(description: "the sample root \(index) is not base64")
        }
        return X509Authority(der: der)
    }
}

private func decodeBase64(_ text: String) -> [UInt8]? {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    var out: [UInt8] = []
    var bits: UInt32 = 0
    var count = 0
    for byte in text.utf8 where byte != UInt8(ascii: "=") {
        guard let value = alphabet.firstIndex(of: byte) else { return nil }
        bits = bits << 6 | UInt32(value)
        count += 6
        if count >= 8 {
            count -= 8
            out.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
        }
    }
    return out
}
