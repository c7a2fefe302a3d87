// SPDX-License-Identifier: Apache-2.0

import TestKit
import Testing

@testable import EntryIndex

@Suite struct EntryKeyTests {
    private func isSmall(_ key: EntryKey) -> Bool { if case .uuid = key { true } else { false } }

    @Test("every id comes back as it was, and only UUIDs in lower case are kept as numbers")
    func everyID() {
        let uuid = "0123af9e-89ab-4def-8a0f-fedcba987654"
        #expect(isSmall(EntryKey(uuid)))
        #expect(EntryKey(uuid) == .uuid(0x0123_af9e_89ab_4def, 0x8a0f_fedc_ba98_7654))
        for position in 0..<36 {
            for byte in UInt8(0)..<128 {
                var bytes = Array(uuid.utf8)
                bytes[position] = byte
                let id = String(decoding: bytes, as: UTF8.self)
                let isHyphen = [8, 13, 18, 23].contains(position)
                let isRight = isHyphen ? byte == UInt8(ascii: "-") : "0123456789abcdef".utf8.contains(byte)
                let key = EntryKey(id)
                if key.text != id || isSmall(key) != isRight { Issue.record("\(id): \(key)") }
                if bytes.withUnsafeBufferPointer({ EntryKey($0) }) != key { Issue.record("\(id) as bytes") }
            }
        }
        for id in ["", "-", "e1", uuid + "0", String(uuid.dropLast()), "0123af9e-89ab-4def-8a0f-fedcba98765é", "ééé" + uuid.dropFirst(6)] {
            #expect(EntryKey(id).text == id && !isSmall(EntryKey(id)))
        }
    }

    @Test("different UUIDs are different keys")
    func different() {
        let random = SeededRandom(seed: 7)
        var keys: Set<EntryKey> = []
        for _ in 0..<1000 {
            let hexadecimal = "0123456789abcdef".map { $0 }
            let id = String("xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx".map { $0 == "x" ? hexadecimal[Int(random.next() & 15)] : $0 })
            #expect(EntryKey(id).text == id)
            keys.insert(EntryKey(id))
        }
        #expect(keys.count == 1000)
    }
}
