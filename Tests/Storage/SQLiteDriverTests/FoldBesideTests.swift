// SPDX-License-Identifier: Apache-2.0

import Groundwork
import Testing

@testable import SQLDatastore

@Suite struct FoldBesideTests {
    private struct Refusal: Error {}

    @Test("pieces are put together in the order they were given")
    func order() async throws {
        let sum = try await BlockingLane("test", width: 1).run {
            let fold = FoldBeside([Int]()) { $0.append($1) }
            for number in 0..<10_000 { try fold.put(number) }
            return try fold.finish()
        }
        #expect(sum == Array(0..<10_000))
    }

    @Test("without a piece the value is the first one")
    func nothing() async throws {
        #expect(try await BlockingLane("test", width: 1).run { try FoldBeside("as it was") { $0 += $1 }.finish() } == "as it was")
    }

    @Test("a failure ends the making of pieces, and is what the caller hears")
    func failure() async throws {
        let (given, failure) = try await BlockingLane("test", width: 1).run {
            let fold = FoldBeside(0) { value, piece in
                if piece == 5 { throw Refusal() }
                value += piece
            }
            var given = 0
            do {
                for number in 0..<1_000_000 {
                    try fold.put(number)
                    given += 1
                }
            } catch is CancellationError {}
            do {
                return (given, "\(try fold.finish())")
            } catch {
                return (given, "\(type(of: error))")
            }
        }
        #expect(failure == "Refusal")
        // The one that failed, and what was under way with it.
        #expect(given >= 6 && given <= 9)
    }
}
