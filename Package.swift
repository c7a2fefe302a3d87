// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0
import PackageDescription

// The house as data: one row a target, one wing a list. The function at the bottom turns rows into targets.
// A row's `uses` names targets of ours; `needs` names external products from the table below.

struct Module {
    var name: String
    var uses: [String]
    var needs: [String]
    var tests: Bool
    var testUses: [String]
    var touchesC: Bool

    init(
        _ name: String, uses: [String] = [], needs: [String] = [], tests: Bool = false, testUses: [String] = [],
        touchesC: Bool = false
    ) {
        self.name = name
        self.uses = uses
        self.needs = needs
        self.tests = tests
        self.testUses = testUses
        self.touchesC = touchesC
    }
}

struct Wing {
    var name: String
    var modules: [Module]
    init(_ name: String, _ modules: [Module]) {
        self.name = name
        self.modules = modules
    }
}

let nio = ["NIOCore", "NIOPosix"]

let house: [Wing] = [
    Wing("Generated", [
        Module("WorkloadProtos", uses: ["RPC"], needs: ["SwiftProtobuf"]),
        Module("APIProtos", uses: ["RPC"], needs: ["SwiftProtobuf"]),
        Module("StateProtos", needs: ["SwiftProtobuf"]),
        Module("TelemetryProtos", uses: ["RPC"], needs: ["SwiftProtobuf"]),
    ]),
    Wing("Client", [
        Module("SPIFFE", needs: ["Crypto", "CryptoExtras", "X509", "SwiftASN1"], tests: true),
        Module("SPIFFETesting", uses: ["SPIFFE"], needs: ["Crypto", "X509", "SwiftASN1"]),
        Module(
            "SPIFFETLS", uses: ["SPIFFE"], needs: nio + ["NIOSSL", "NIOTLS", "X509"], tests: true,
            testUses: ["SPIFFETesting"]),
        Module(
            "SPIFFEWorkloadAPI", uses: ["SPIFFE", "RPC", "WorkloadProtos"], needs: nio + ["SwiftProtobuf"], tests: true,
            testUses: ["SPIFFETesting"]),
    ]),
    Wing("Ground", [
        Module("Groundwork", needs: ["Logging"], tests: true, testUses: ["TestKit"], touchesC: true),
        Module("HCL", tests: true),
        Module("YAML", uses: ["CYAML"], tests: true, touchesC: true),
        Module(
            "Telemetry", uses: ["Groundwork", "HCL"], needs: ["Logging", "Crypto"], tests: true, testUses: ["TestKit"],
            touchesC: true),
        Module(
            "Issuance", uses: ["SPIFFE", "Groundwork"], needs: ["Crypto", "CryptoExtras", "X509", "SwiftASN1"],
            tests: true, testUses: ["TestKit"]),
        Module(
            "RPC",
            needs: nio + ["NIOHTTP2", "NIOHPACK", "SwiftProtobuf", "DequeModule"], tests: true),
        Module(
            "Wire",
            uses: [
                "RPC", "Groundwork", "Telemetry", "TelemetryProtos", "SPIFFE", "Issuance", "SPIFFETLS",
                "CPeerCredentials",
            ],
            needs: nio + ["NIOSSL", "NIOTLS", "X509", "SwiftASN1", "SwiftProtobuf", "Logging"], tests: true,
            testUses: ["TestKit", "Issuance"], touchesC: true),
        Module(
            "Web", uses: ["RPC", "Wire", "Telemetry", "TelemetryProtos", "Groundwork", "SPIFFE", "SPIFFETLS"],
            needs: nio + ["NIOHTTP1", "NIOSSL", "X509", "SwiftProtobuf", "Logging"], tests: true, testUses: ["TestKit", "Issuance"]),
    ]),
    Wing("Plugins", [
        Module("PluginAPI", uses: ["Groundwork", "Telemetry", "SPIFFE", "Issuance"], needs: ["Logging"]),
        Module(
            "PluginsBasic", uses: ["PluginAPI", "Groundwork", "SPIFFE", "Issuance"], needs: ["Logging", "Crypto"],
            tests: true, testUses: ["TestKit"], touchesC: true),
    ]),
    Wing("Storage", [
        Module("Datastore", uses: ["Groundwork"]),
        Module(
            "SQLDatastore", uses: ["Datastore", "Groundwork", "Telemetry", "StateProtos"], needs: ["Logging", "SwiftProtobuf"]),
        Module(
            "SQLiteDriver", uses: ["SQLDatastore", "Datastore", "Groundwork", "CSQLite"], needs: ["Logging"],
            tests: true, testUses: ["TestKit", "Telemetry", "CSQLite"], touchesC: true),
        Module(
            "PostgresDriver", uses: ["SQLDatastore", "Datastore", "Groundwork", "CPostgres"], needs: ["Logging"],
            tests: true, testUses: ["TestKit"], touchesC: true),
        Module(
            "MySQLDriver", uses: ["SQLDatastore", "Datastore", "Groundwork", "CMySQL"], needs: ["Logging"],
            tests: true, testUses: ["TestKit"], touchesC: true),
    ]),
    Wing("Server", [
        Module(
            "Authority",
            uses: ["Issuance", "Datastore", "PluginAPI", "Groundwork", "Telemetry", "SPIFFE", "StateProtos"],
            needs: ["Logging", "SwiftProtobuf"], tests: true,
            testUses: ["TestKit", "PluginsBasic", "SQLDatastore", "SQLiteDriver"]),
        Module(
            "EntryIndex", uses: ["Datastore", "Groundwork", "Telemetry"], needs: ["Logging"], tests: true, testUses: ["TestKit"]),
        Module(
            "ServerAPI",
            uses: [
                "Authority", "EntryIndex", "Wire", "RPC", "APIProtos", "Datastore", "Issuance", "PluginAPI",
                "Groundwork", "SPIFFE", "Telemetry",
            ],
            needs: ["Logging", "SwiftProtobuf", "NIOCore", "Crypto", "X509", "SwiftASN1"], tests: true,
            testUses: ["TestKit", "PluginsBasic", "SQLDatastore", "SQLiteDriver"]),
        Module(
            "Federation",
            uses: ["Datastore", "Web", "Wire", "Issuance", "SPIFFETLS", "SPIFFE", "Groundwork", "Telemetry"],
            needs: nio + ["NIOSSL", "X509", "Logging"], tests: true,
            testUses: ["TestKit", "SQLDatastore", "SQLiteDriver"]),
        Module(
            "ServerRuntime",
            uses: [
                "ServerAPI", "Federation", "Authority", "EntryIndex", "Wire", "RPC", "Datastore", "SQLDatastore", "SQLiteDriver",
                "PostgresDriver", "MySQLDriver", "PluginsBasic", "PluginAPI", "Issuance", "Telemetry", "Groundwork", "SPIFFE", "SPIFFETLS", "HCL",
                "APIProtos", "WorkloadProtos", "Web",
            ],
            needs: nio
                + ["Logging", "ServiceLifecycle", "UnixSignals", "SwiftProtobuf", "X509", "Crypto", "CryptoExtras"],
            tests: true, testUses: ["TestKit"]),
        Module(
            "ServerCLI",
            uses: [
                "ServerRuntime", "CLISupport", "APIProtos", "RPC", "Wire", "Issuance", "Groundwork", "SPIFFE", "HCL",
                "Telemetry", "YAML", "ServerAPI",
            ],
            needs: ["SwiftProtobuf", "Logging", "X509", "NIOPosix", "Crypto"], tests: true, testUses: ["TestKit"]),
    ]),
    Wing("Agent", [
        Module(
            "AgentCore",
            uses: ["Wire", "RPC", "APIProtos", "PluginAPI", "Issuance", "Groundwork", "Telemetry", "SPIFFE"],
            needs: nio + ["NIOHTTP1", "NIOSSL", "X509", "Logging", "SwiftProtobuf"], tests: true,
            testUses: ["TestKit", "PluginsBasic"]),
        Module(
            "AgentAPI",
            uses: [
                "AgentCore", "Wire", "RPC", "WorkloadProtos", "APIProtos", "PluginAPI", "Issuance", "Groundwork",
                "Telemetry", "SPIFFE",
            ],
            needs: ["Logging", "SwiftProtobuf", "NIOCore"], tests: true, testUses: ["TestKit", "PluginsBasic"]),
        Module(
            "AgentRuntime",
            uses: [
                "AgentAPI", "AgentCore", "Wire", "RPC", "PluginsBasic", "PluginAPI", "Issuance", "Telemetry",
                "Groundwork", "SPIFFE", "SPIFFETLS", "HCL", "Web",
            ],
            needs: nio + ["Logging", "ServiceLifecycle", "UnixSignals", "X509"], tests: true,
            testUses: ["TestKit", "APIProtos", "WorkloadProtos"]),
        Module(
            "AgentCLI",
            uses: [
                "AgentRuntime", "CLISupport", "WorkloadProtos", "APIProtos", "RPC", "Wire", "Issuance", "Groundwork",
                "SPIFFE", "SPIFFEWorkloadAPI", "HCL", "Telemetry",
            ],
            needs: ["SwiftProtobuf", "Logging", "X509", "NIOPosix", "UnixSignals"], tests: true,
            testUses: ["TestKit"]),
    ]),
    Wing("Tools", [
        Module(
            "CLISupport", uses: ["RPC", "Wire", "APIProtos", "Groundwork", "SPIFFE"], needs: ["SwiftProtobuf", "X509"],
            tests: true)
    ]),
    Wing("Testing", [
        Module(
            "TestKit", uses: ["Groundwork", "Issuance", "PluginAPI", "Datastore", "SPIFFE"], needs: ["Logging"]),
        Module(
            "FuzzTargets",
            uses: [
                "ServerCLI", "ServerRuntime", "ServerAPI", "CLISupport", "PluginsBasic", "MySQLDriver", "PostgresDriver",
                "SQLiteDriver", "Wire", "Web", "RPC", "Telemetry", "Issuance", "Groundwork", "HCL", "YAML", "SPIFFE",
                "SPIFFEWorkloadAPI",
            ],
            needs: ["NIOCore", "NIOEmbedded", "SwiftProtobuf", "X509", "Crypto"], tests: true, touchesC: true),
    ]),
]

func shims() -> [Target] { [
    .target(name: "CPeerCredentials", path: "Sources/C/CPeerCredentials"),
    // These load their libraries when asked to: Documentation/Decisions/0008.
    .target(name: "CPostgres", path: "Sources/C/CPostgres"),
    .target(name: "CMySQL", path: "Sources/C/CMySQL"),
    .systemLibrary(
        name: "CSQLite", path: "Sources/C/CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
    .systemLibrary(
        name: "CYAML", path: "Sources/C/CYAML", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
] }

// External packages: decision records in Documentation/Decisions say why each is here.
let packages: [(url: String, version: Version, products: [String])] = [
    ("apple/swift-nio", "2.101.2", ["NIOCore", "NIOPosix", "NIOHTTP1", "NIOEmbedded", "NIOTLS"]),
    ("apple/swift-nio-http2", "1.46.0", ["NIOHTTP2", "NIOHPACK"]),
    ("apple/swift-nio-ssl", "2.37.6", ["NIOSSL"]),
    ("apple/swift-crypto", "4.5.2", ["Crypto", "CryptoExtras"]),
    ("apple/swift-certificates", "1.21.1", ["X509"]),
    ("apple/swift-asn1", "1.7.4", ["SwiftASN1"]),
    ("apple/swift-protobuf", "1.39.0", ["SwiftProtobuf"]),
    ("apple/swift-log", "1.16.2", ["Logging"]),
    ("apple/swift-collections", "1.6.0", ["DequeModule"]),
    ("swift-server/swift-service-lifecycle", "2.13.0", ["ServiceLifecycle", "UnixSignals"]),
]

/// `SPIRE_FUZZ=1` adds the program that feeds `FuzzTargets` from libFuzzer, and its counters to every module of ours.
let isFuzzing = Context.environment["SPIRE_FUZZ"] != nil
let fuzzerFlags = ["-sanitize=fuzzer,address"]

let settings: [SwiftSetting] =
    [
        .swiftLanguageMode(.v6),
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    ] + (isFuzzing ? [.unsafeFlags(fuzzerFlags + ["-O", "-assert-config", "Debug", "-gline-tables-only"])] : [])

func external(_ product: String) -> Target.Dependency {
    for package in packages where package.products.contains(product) {
        let identity = package.url.split(separator: "/").last.map(String.init) ?? package.url
        return .product(name: product, package: identity)
    }
    preconditionFailure("no package offers \(product)")
}

/// `SPIRE_TEST_ONLY=A,B` keeps only the test targets of those modules: a smaller test bundle links faster.
let onlyTests = Context.environment["SPIRE_TEST_ONLY"].map { Set($0.split(separator: ",").map(String.init)) }
let programs = ["spire-server": "ServerCLI", "spire-agent": "AgentCLI"]

/// `SPIRE_BENCH=1` adds the load generators (Documentation/Decisions/0006): folder under `Benchmarks/` and what it uses.
let benchmarks: [(name: String, uses: [String], needs: [String])] =
    Context.environment["SPIRE_BENCH"] == nil
    ? []
    : [
        (
            "spire-load",
            ["RPC", "Wire", "APIProtos", "WorkloadProtos", "Issuance", "SPIFFE", "Groundwork"],
            nio + ["SwiftProtobuf", "X509"]
        ),
        ("rpc-echo", ["RPC", "Wire", "Groundwork", "SPIFFE"], nio + ["SwiftProtobuf"]),
        (
            "spire-scale", ["AgentCore", "RPC", "Wire", "APIProtos", "Issuance", "SPIFFE", "Groundwork"],
            nio + ["SwiftProtobuf", "X509", "Logging"]
        ),
    ]

/// `SPIRE_EXAMPLES=1` adds the programs of `Examples/MutualTLS` (Documentation/Decisions/0007), which the tests run.
let examples = Context.environment["SPIRE_EXAMPLES"] == nil ? [] : ["mtls-client", "mtls-server"]

func targets() -> [Target] {
    var all = shims()
    for wing in house {
        for module in wing.modules {
            let dependencies =
                module.uses.map { Target.Dependency.target(name: $0) } + module.needs.map(external)
            all.append(
                .target(
                    name: module.name, dependencies: dependencies, path: "Sources/\(wing.name)/\(module.name)",
                    exclude: wing.name == "Generated" ? [] : ["README.md"],
                    swiftSettings: settings + (module.touchesC || wing.name == "Generated" ? [] : [.strictMemorySafety()])))
            guard module.tests, onlyTests?.contains(module.name) ?? true else { continue }
            let seen = [module.name] + module.uses.filter { !$0.hasPrefix("C") || $0 == "CLISupport" } + module.testUses
            let testDependencies =
                Array(Set(seen)).sorted().map { Target.Dependency.target(name: $0) } + module.needs.map(external)
                + (module.name == "RPC" ? [external("NIOEmbedded")] : [])
            all.append(
                .testTarget(
                    name: module.name + "Tests", dependencies: testDependencies,
                    path: "Tests/\(wing.name)/\(module.name)Tests", swiftSettings: settings))
        }
    }
    for (program, module) in programs.sorted(by: { $0.key < $1.key }) {
        all.append(
            .executableTarget(
                name: program, dependencies: [.target(name: module)], path: "Sources/Programs/\(program)",
                swiftSettings: settings))
    }
    for (name, uses, needs) in benchmarks {
        all.append(
            .executableTarget(
                name: name, dependencies: uses.map { .target(name: $0) } + needs.map(external),
                path: "Benchmarks/\(name)", swiftSettings: settings))
    }
    if isFuzzing {
        all.append(
            .executableTarget(
                name: "spire-fuzz", dependencies: [.target(name: "FuzzTargets")], path: "Fuzz/spire-fuzz",
                swiftSettings: settings + [.unsafeFlags(["-parse-as-library"])],
                linkerSettings: [.unsafeFlags(fuzzerFlags)]))
    }
    for name in examples {
        all.append(
            .executableTarget(
                name: name,
                dependencies: ["SPIFFE", "SPIFFETLS", "SPIFFEWorkloadAPI"].map { .target(name: $0) } + nio.map(external),
                path: "Examples/MutualTLS/Sources/\(name)", swiftSettings: [.swiftLanguageMode(.v6)]))
    }
    return all
}

let clientProducts = ["SPIFFE", "SPIFFEWorkloadAPI", "SPIFFETLS", "SPIFFETesting"]

let package = Package(
    name: "swift-spire",
    platforms: [.macOS(.v15)],
    products: clientProducts.map { .library(name: $0, targets: [$0]) }
        + programs.keys.sorted().map { .executable(name: $0, targets: [$0]) },
    dependencies: packages.map { .package(url: "https://github.com/\($0.url)", from: $0.version) },
    targets: targets()
)
