// SPDX-License-Identifier: Apache-2.0

/// Every command of SPIRE 1.16's server, by name.
enum ReferenceCommands {
    static let all: [String] =
        plain + api

    /// Commands without `-output`.
    static let plain = ["run", "validate", "healthcheck"]

    /// Commands that talk to a server and print in two formats.
    static let api: [String] =
        ["token generate"]
        + ["ban", "count", "evict", "list", "purge", "show"].map { "agent \($0)" }
        + ["count", "show", "list", "set", "delete"].map { "bundle \($0)" }
        + ["count", "create", "update", "delete", "show"].map { "entry \($0)" }
        + ["create", "delete", "list", "refresh", "show", "update"].map { "federation \($0)" }
        + ["get", "set", "reset"].map { "logger \($0)" }
        + ["x509 mint", "jwt mint", "wit mint", "debug getinfo"]
        + ["x509", "jwt"].flatMap { kind in
            ["show", "prepare", "activate", "taint", "revoke"].map { "localauthority \(kind) \($0)" }
        }
        + ["taint", "revoke"].map { "upstreamauthority \($0)" }
}
