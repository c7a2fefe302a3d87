// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0
import PackageDescription

let package = Package(
    name: "MutualTLS",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(name: "swift-spire", path: "../.."),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    ],
    targets: ["mtls-server", "mtls-client"].map { program in
        .executableTarget(
            name: program,
            dependencies: [
                .product(name: "SPIFFE", package: "swift-spire"),
                .product(name: "SPIFFETLS", package: "swift-spire"),
                .product(name: "SPIFFEWorkloadAPI", package: "swift-spire"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ])
    }
)
