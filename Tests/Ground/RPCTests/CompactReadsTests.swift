// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOEmbedded
import Testing

@testable import RPC

@Suite struct CompactReadsTests {
    private func passed(_ count: Int) throws -> ByteBuffer {
        let channel = EmbeddedChannel(handler: CompactReads())
        var record = channel.allocator.buffer(capacity: 16 << 10)
        record.writeBytes((0..<count).map { UInt8(truncatingIfNeeded: $0) })
        try channel.writeInbound(record)
        let read = try #require(try channel.readInbound(as: ByteBuffer.self))
        #expect(read == record)
        _ = try channel.finish(acceptAlreadyClosed: true)
        return read
    }

    @Test("a small read does not keep the buffer of a whole record alive", arguments: [0, 1, 300, 4096])
    func small(count: Int) throws { #expect(try passed(count).storageCapacity <= 2 * max(64, count)) }

    @Test("a large one is handed on as it is")
    func large() throws { #expect(try passed(5000).storageCapacity >= 16 << 10) }
}
