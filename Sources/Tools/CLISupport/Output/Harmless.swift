// SPDX-License-Identifier: Apache-2.0

import Groundwork

// What a server stores was chosen by others: administrators, attested machines, foreign trust domains. None of it may
// steer the terminal of whoever looks at it, or look like another line or in another order than it is.

extension String {
    /// The text as one value within a line: controls, line breaks and what turns the direction of writing are escaped as
    /// in JSON. Other text stays as it is, backslashes too.
    package var harmless: String { escaped(keepingLines: false) }

    /// The text as lines: the same, but line feeds and tabs stay.
    package var harmlessLines: String { escaped(keepingLines: true) }

    private func escaped(keepingLines: Bool) -> String {
        // Nearly every text is printable ASCII.
        let isOrdinary = utf8.allSatisfy { byte in
            (byte >= 0x20 && byte < 0x7F) || (keepingLines && (byte == 0x0A || byte == 0x09))
        }
        if isOrdinary { return self }
        var out = ""
        out.reserveCapacity(utf8.count)
        for scalar in unicodeScalars {
            switch scalar {
            case "\n" where !keepingLines: out += "\\n"
            case "\t" where !keepingLines: out += "\\t"
            case "\n", "\t": out.unicodeScalars.append(scalar)
            case "\r": out += "\\r"
            case _ where scalar.steersTerminal: out += GoText.unicodeEscape(scalar)
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out
    }
}

extension Error {
    /// The error's text as one value within a line: statuses carry what a server says.
    package var harmless: String { "\(self)".harmless }
}
