// SPDX-License-Identifier: Apache-2.0

/// The two forms of an ECDSA signature: DER `ECDSA-Sig-Value` in certificates, `r || s` of fixed size in tokens.
package enum ECDSASignature {
    /// - Parameter raw: `r` and `s` of equal size, big-endian.
    package static func der(raw: some RandomAccessCollection<UInt8>) -> [UInt8] {
        let half = raw.count / 2
        let r = raw.prefix(half)
        let s = raw.dropFirst(half)
        let count = DER.unsignedCount(r) + DER.unsignedCount(s)
        var out: [UInt8] = []
        out.reserveCapacity(DER.total(count))
        DER.header(DER.sequence, count, into: &out)
        DER.unsigned(r, into: &out)
        DER.unsigned(s, into: &out)
        return out
    }

    /// - Parameter size: Bytes of each number: 32 for P-256, 48 for P-384, 66 for P-521.
    /// - Throws: `DERError` when it is not a signature or a number is too large.
    package static func raw(der: [UInt8], size: Int) throws(DERError) -> [UInt8] {
        var outer = DERReader(der)
        var inner = try outer.enter(DER.sequence)
        try outer.finish()
        let r = try inner.unsigned()
        let s = try inner.unsigned()
        try inner.finish()
        guard r.count <= size, s.count <= size else { throw DERError("signature number is too large") }
        var out = [UInt8](repeating: 0, count: size * 2)
        out.replaceSubrange((size - r.count)..<size, with: r)
        out.replaceSubrange((size * 2 - s.count)..<(size * 2), with: s)
        return out
    }
}
