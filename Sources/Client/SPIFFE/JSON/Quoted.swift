// SPDX-License-Identifier: Apache-2.0

/// Text in double quotes with special characters escaped, so that foreign text cannot blur a message.
struct Quoted: CustomStringConvertible {
    let description: String

    init(_ text: String) {
        var out = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case "\n": out += "\\n"
            case "\r": out += "\\r"
            case "\t": out += "\\t"
            case _ where scalar.value < 0x20 || scalar.value == 0x7f:
                let hex = String(scalar.value, radix: 16)
                out += "\\x" + (hex.count < 2 ? "0" : "") + hex
            default: out.unicodeScalars.append(scalar)
            }
        }
        description = out + "\""
    }

    /// A list as Go prints one: `["a" "b"]`.
    init(list: [String]) { description = "[" + list.map { Quoted($0).description }.joined(separator: " ") + "]" }
}
