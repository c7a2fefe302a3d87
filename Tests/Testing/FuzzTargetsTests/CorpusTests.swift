// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import FuzzTargets
import Groundwork
import Testing

/// Every kept input, findings of the fuzzer among them, through the decoder it is for.
@Suite struct CorpusTests {
    private static let root = String(#filePath.split(separator: "/").dropLast(4).reduce("") { $0 + "/" + $1 })

    private static func inputs(_ target: FuzzTarget) throws -> [(name: String, bytes: [UInt8])] {
        let folder = root + "/Fuzz/corpus/" + target.rawValue
        return try FileManager.default.contentsOfDirectory(atPath: folder).sorted().map { name in
            (name, try #require(try AtomicFile.read(folder + "/" + name)))
        }
    }

    /// One line, so that the file of verdicts has a line an input.
    private static func line(_ target: FuzzTarget, _ name: String, _ verdict: Verdict) -> String {
        let text = "\(verdict)".unicodeScalars.map { scalar in
            scalar.value < 0x20 || scalar.value == 0x7f ? "\\u{\(String(scalar.value, radix: 16))}" : String(scalar)
        }.joined()
        return "\(target.rawValue)/\(name) \(text.count > 300 ? text.prefix(300) + "…" : text)"
    }

    @Test("every kept input is accepted or refused in the recorded words, and no promise is broken", arguments: FuzzTarget.allCases)
    func replay(target: FuzzTarget) throws {
        let inputs = try Self.inputs(target)
        #expect(!inputs.isEmpty)
        var lines: [String] = []
        for (name, bytes) in inputs {
            do {
                lines.append(Self.line(target, name, try target.feed(bytes)))
            } catch {
                Issue.record("\(target.rawValue)/\(name): \(error)")
            }
        }
        let file = Self.root + "/Fuzz/verdicts/\(target.rawValue).txt"
        if ProcessInfo.processInfo.environment["UPDATE_GOLDENS"] != nil {
            return try AtomicFile.write(Array((lines.joined(separator: "\n") + "\n").utf8), to: file, mode: 0o644)
        }
        let recorded = String(decoding: try #require(try AtomicFile.read(file)), as: UTF8.self)
        for (line, expected) in zip(lines, recorded.split(separator: "\n")) { #expect(line == expected) }
        #expect(lines.count == recorded.split(separator: "\n").count)
    }

    @Test("what a decoder accepts it accepts again as it wrote it", arguments: [FuzzTarget.json])
    func stable(target: FuzzTarget) throws {
        for (name, bytes) in try Self.inputs(target) {
            guard case .accepted(let text) = try target.feed(bytes) else { continue }
            #expect(try target.feed(Array(text.utf8)) == .accepted(text), "\(name)")
        }
    }

    @Test("no promise is broken by a kept input with bytes changed, cut, doubled and moved", arguments: FuzzTarget.allCases)
    func mutations(target: FuzzTarget) throws {
        var seed: UInt64 = 20_260_826
        func next(_ bound: Int) -> Int {
            seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((seed >> 33) % UInt64(max(bound, 1)))
        }
        for (name, original) in try Self.inputs(target) where original.count < 8192 {
            for _ in 0..<20 {
                var bytes = original
                for _ in 0...next(3) where !bytes.isEmpty {
                    let place = next(bytes.count)
                    switch next(5) {
                    case 0: bytes[place] = UInt8(next(256))
                    case 1: bytes[place] ^= UInt8(1 << next(8))
                    case 2: bytes.removeSubrange(place..<min(bytes.count, place + 1 + next(8)))
                    case 3: bytes.insert(contentsOf: bytes[place..<min(bytes.count, place + 1 + next(16))], at: next(bytes.count))
                    default: bytes.removeLast(next(bytes.count))
                    }
                }
                do {
                    _ = try target.feed(bytes)
                } catch {
                    Issue.record("\(target.rawValue)/\(name) as \(bytes): \(error)")
                }
            }
        }
    }
}
