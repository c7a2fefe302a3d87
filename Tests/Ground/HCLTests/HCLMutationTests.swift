// SPDX-License-Identifier: Apache-2.0

import HCL
import Testing

/// Hostile input, by the thousand: nothing may crash, and every refusal has a place inside the text.
@Suite struct HCLMutationTests {
    private struct Dice: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let mixed = (state ^ (state >> 29)) &* 0xBF58_476D_1CE4_E5B9
            return mixed ^ (mixed >> 32)
        }
    }

    private static let splinters: [[UInt8]] = [
        "{", "}", "[", "]", "\"", "=", ",", "${", "<<E\n", "<<-", "\\", "\\u", "/*", "*/", "#", "\n", "\r\n", "0x",
        "1e", "-", ".", "null", "true", ":", "\u{0}", "é",
    ].map { Array($0.utf8) } + [[0xFF], [0xE2, 0x82], [0xF4, 0x90, 0x80, 0x80], [0xC0, 0x80]]

    private func mutated(_ text: [UInt8], _ dice: inout Dice) -> [UInt8] {
        var text = text
        for _ in 0..<Int.random(in: 1...4, using: &dice) {
            let place = Int.random(in: 0...text.count, using: &dice)
            switch Int.random(in: 0..<5, using: &dice) {
            case 0: text.insert(contentsOf: Self.splinters.randomElement(using: &dice) ?? [], at: place)
            case 1: text.removeSubrange(place..<min(text.count, place + Int.random(in: 0...9, using: &dice)))
            case 2: if place < text.count { text[place] = UInt8.random(in: .min ... .max, using: &dice) }
            case 3: text = Array(text[..<place])
            default:
                let end = min(text.count, place + Int.random(in: 0...40, using: &dice))
                text.insert(contentsOf: text[place..<end], at: Int.random(in: 0...text.count, using: &dice))
            }
        }
        return text
    }

    private func exercise(_ object: HCLObject) {
        let diagnostics = HCLDiagnostics()
        let block = HCLBlock(object, diagnostics: diagnostics)
        for key in ["server", "plugins", "alpha", "a", "mixed", "foo", "resource"] {
            _ = block.string(key)
            _ = block.int(key)
            _ = block.bool(key)
            _ = block.strings(key)
            _ = block.blocks(key)
            _ = block.labelled(key)
            block.block(key)?.finish(section: key)
        }
        block.finish(section: "top-level")
    }

    @Test("mutated texts never crash the parser or the decoder")
    func mutations() throws {
        var files = try Fixtures.files(under: Fixtures.root, endings: [".hcl", ".json"])
        if let samples = Fixtures.samples {
            files += try Fixtures.files(under: samples + "/hcl1", endings: [".hcl", ".json"])
        }
        for (number, path) in files.enumerated() {
            let original = try Fixtures.bytes(path)
            var dice = Dice(state: UInt64(number) &* 977 &+ 20)
            for _ in 0..<300 {
                let text = mutated(original, &dice)
                do {
                    exercise(try HCL.parse(text))
                } catch {
                    let lines = text.count { $0 == 0x0A } + 1
                    #expect(error.position.line <= lines && error.position.column >= 1, "\(path): \(error)")
                }
                _ = EnvironmentExpansion.expand(text, ["A": "{", "E": "\""])
            }
        }
    }
}
