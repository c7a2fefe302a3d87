// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

extension UnsafeBufferPointer<UInt8> {
    /// Whether both are the same bytes. `elementsEqual` compares one after the other.
    package func isSame(as other: UnsafeBufferPointer<UInt8>) -> Bool {
        guard count == other.count else { return false }
        guard let mine = unsafe baseAddress, let others = unsafe other.baseAddress else { return true }
        return unsafe memcmp(mine, others, count) == 0
    }

    package func begins(with other: UnsafeBufferPointer<UInt8>) -> Bool {
        unsafe count >= other.count && UnsafeBufferPointer(rebasing: self[..<other.count]).isSame(as: other)
    }
}
