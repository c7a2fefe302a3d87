// SPDX-License-Identifier: Apache-2.0

import AgentRuntime
import FoundationEssentials
import HCL
import Testing

/// Damaged configuration files, by the hundred: each loads or is refused with a reason.
@Suite struct AgentConfigMutationTests {
    private struct Dice: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return (state ^ (state >> 29)) &* 0xBF58_476D_1CE4_E5B9
        }
    }

    @Test("a damaged configuration never crashes the loader, and a refusal says why")
    func mutations() throws {
        let root = #filePath.split(separator: "/").dropLast(4).map { "/" + $0 }.joined()
        let original = Array(try Data(contentsOf: URL(filePath: root + "/conf/agent/full.conf")))
            .split(separator: 0x0A, omittingEmptySubsequences: false).map(Array.init)
        let values = [
            "{}", "[]", "[{}]", "\"\"", "\"-1h\"", "-1", "99999999999999999999", "1.5", "true",
            "{ a = 1 }", "[[]]",
        ]
        var dice = Dice(state: 4242)
        for _ in 0..<400 {
            var lines = original
            for _ in 0..<Int.random(in: 1...3, using: &dice) {
                let place = Int.random(in: 0..<lines.count, using: &dice)
                let key = lines[place].prefix { $0 != UInt8(ascii: "=") }
                switch Int.random(in: 0..<4, using: &dice) {
                case 0: lines.remove(at: place)
                case 1: lines.insert(lines[Int.random(in: 0..<lines.count, using: &dice)], at: place)
                case 2: lines[place] = Array(lines[place].dropLast(Int.random(in: 0...4, using: &dice)))
                default: lines[place] = key + Array("= \(values.randomElement(using: &dice) ?? "")".utf8)
                }
            }
            do {
                _ = try AgentConfig.decode(Array(lines.joined(separator: [0x0A])), path: "x").resolvedPlugins()
            } catch {
                #expect(!error.problems.isEmpty && error.problems.allSatisfy { !$0.message.isEmpty })
            }
        }
    }
}
