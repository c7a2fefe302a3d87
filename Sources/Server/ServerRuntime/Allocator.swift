// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
import Glibc
#endif

/// The C library's memory allocator.
enum Allocator {
    /// Makes the allocator keep one pool of memory a processor, and not eight: what a burst leaves free in one pool is of no
    /// use to threads of another. To be called before there are many threads.
    static func limitPools() {
        #if canImport(Glibc) && os(Linux)
        // Swift's view of the C library has no <malloc.h>; a library without this function is left as it is.
        guard let symbol = unsafe dlsym(nil, "mallopt") else { return }
        let set = unsafe unsafeBitCast(symbol, to: (@convention(c) (CInt, CInt) -> CInt).self)
        _ = set(mostPools, CInt(clamping: max(2, sysconf(CInt(_SC_NPROCESSORS_ONLN)))))
        #endif
    }

    /// `M_ARENA_MAX`. > Spec: mallopt(3).
    private static let mostPools: CInt = -8
}
