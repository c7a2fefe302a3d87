// SPDX-License-Identifier: Apache-2.0

import NIOHTTP2
import Testing

@testable import RPC

@Suite("Resets a client may have out")
struct ResetWindowTests {
    @Test("never more are out than the HTTP/2 handler remembers, and each is sent in the end")
    func bounded() {
        var window = ResetWindow()
        var sent: [HTTP2StreamID] = []
        var out = 0
        var asked: [Int] = []
        func take(_ step: ResetWindow.Step) {
            sent += step.send
            out += step.send.count
            #expect(out <= ResetWindow.capacity)
            if step.ask { asked.append(out) }
        }
        let all = (0..<1000).map { HTTP2StreamID(2 * $0 + 1) }
        for id in all { take(window.reset(id)) }
        #expect(sent.count == ResetWindow.capacity)
        while !asked.isEmpty {
            out -= asked.removeFirst()
            take(window.acknowledged())
        }
        #expect(sent == all)
    }

    @Test("a few resets cost nothing more, and a stream that ends while its reset waits needs none")
    func few() {
        var window = ResetWindow()
        for number in 0..<ResetWindow.capacity / 2 - 1 {
            #expect(window.reset(HTTP2StreamID(2 * number + 1)) == .init(send: [HTTP2StreamID(2 * number + 1)]))
        }
        for number in ResetWindow.capacity..<2 * ResetWindow.capacity { _ = window.reset(HTTP2StreamID(2 * number + 1)) }
        let ended = HTTP2StreamID(4 * ResetWindow.capacity - 1)
        window.closed(ended)
        var sent: [HTTP2StreamID] = []
        for _ in 0..<10 { sent += window.acknowledged().send }
        #expect(!sent.isEmpty)
        #expect(!sent.contains(ended))
    }
}
