// SPDX-License-Identifier: Apache-2.0

import Foundation

/// Runs the `openssl` program, the second opinion on what is written here.
enum OpenSSL {
    struct Output {
        let status: Int32
        let text: String
    }

    /// - Parameter input: Given on standard input. Both outputs come back as one text.
    static func run(_ arguments: [String], input: [UInt8] = []) throws -> Output {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["openssl"] + arguments
        let stdin = Pipe()
        let stdout = Pipe()
        process.standardInput = stdin
        process.standardOutput = stdout
        process.standardError = stdout
        try process.run()
        try stdin.fileHandleForWriting.write(contentsOf: Data(input))
        try stdin.fileHandleForWriting.close()
        let data = try stdout.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return Output(status: process.terminationStatus, text: String(decoding: data, as: UTF8.self))
    }

    /// Runs `openssl` and returns what it printed as bytes.
    static func bytes(_ arguments: [String]) throws -> [UInt8] {
        try inFolder { folder in
            let output = try run(arguments + ["-out", folder + "/out"])
            guard output.status == 0 else { throw Failure(text: output.text) }
            return [UInt8](try Data(contentsOf: URL(filePath: folder + "/out")))
        }
    }

    /// Gives `body` a new folder and removes it afterwards.
    static func inFolder<Result>(_ body: (String) throws -> Result) throws -> Result {
        let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        return try body(folder.path)
    }

    static func write(_ bytes: [UInt8], _ path: String) throws {
        try Data(bytes).write(to: URL(filePath: path))
    }

    static func pem(_ der: [UInt8], _ label: String = "CERTIFICATE") -> [UInt8] {
        let text = Data(der).base64EncodedString(options: [.lineLength64Characters, .endLineWithLineFeed])
        return Array("-----BEGIN \(label)-----\n\(text)\n-----END \(label)-----\n".utf8)
    }

    struct Failure: Error, CustomStringConvertible {
        let text: String
        var description: String { text }
    }
}
