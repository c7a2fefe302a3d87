// SPDX-License-Identifier: Apache-2.0

/// Reads whole numbers as configuration files write them.
package enum HCLNumber {
    /// Why a text is no number; its description has the words operators know.
    package struct Failure: Error, Sendable, CustomStringConvertible {
        package let description: String
    }

    /// Reads decimal, `0x`, `0o`, `0b` and `0`-prefixed octal numbers of 64 bits, with an optional sign.
    package static func int(_ text: String) -> Result<Int, Failure> {
        var digits = text[...]
        var isNegative = false
        if let sign = digits.first, sign == "-" || sign == "+" {
            isNegative = sign == "-"
            digits.removeFirst()
        }
        var radix = 10
        if digits.count > 1, digits.first == "0" {
            switch digits.dropFirst().first {
            case "x", "X": radix = 16
            case "o", "O": radix = 8
            case "b", "B": radix = 2
            default: radix = 8
            }
            let prefixed = digits.dropFirst().first.map { $0.isLetter } ?? false
            digits = digits.dropFirst(prefixed ? 2 : 1)
        }
        guard !digits.isEmpty, digits.allSatisfy({ $0.isASCII && $0.hexDigitValue.map { $0 < radix } ?? false }) else {
            return .failure(Failure(description: "strconv.ParseInt: parsing \"\(text)\": invalid syntax"))
        }
        guard let value = Int((isNegative ? "-" : "") + digits, radix: radix) else {
            return .failure(Failure(description: "strconv.ParseInt: parsing \"\(text)\": value out of range"))
        }
        return .success(value)
    }
}
