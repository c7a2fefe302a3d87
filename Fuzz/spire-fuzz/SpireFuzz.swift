// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import FuzzTargets

/// Which decoder this process feeds: SPIRE_FUZZ_TARGET.
private let target = ProcessInfo.processInfo.environment["SPIRE_FUZZ_TARGET"].flatMap { FuzzTarget(rawValue: $0) }

private typealias Feed = @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
private typealias Arguments = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>

/// libFuzzer calls it with every input. A broken promise is a crash, so that the input is kept.
@_cdecl("LLVMFuzzerTestOneInput")
public func feed(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    guard let target else { preconditionFailure("SPIRE_FUZZ_TARGET names no target") }
    let input = Array(UnsafeBufferPointer(start: bytes, count: count))
    // A refusal may repeat its input: one that reads like an error's type proves nothing. -1 keeps it out of the corpus.
    let text = String(decoding: input, as: UTF8.self)
    if text.contains("Optional(") || text.contains("Error(") { return -1 }
    do {
        _ = try target.feed(input)
    } catch {
        preconditionFailure("\(error)")
    }
    return 0
}

@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ count: UnsafeMutablePointer<CInt>, _ arguments: UnsafeMutablePointer<Arguments>, _ feed: Feed
) -> CInt

/// The package manager starts every program at `<module>_main`, libFuzzer's own `main` among them out of reach.
@_cdecl("spire_fuzz_main")
public func start(_ count: CInt, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> CInt {
    var count = count
    var arguments = arguments
    return runDriver(&count, &arguments, feed)
}
