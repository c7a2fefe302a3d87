// SPDX-License-Identifier: Apache-2.0

import Testing
import X509

@testable import SPIFFE

@Suite struct PEMTests {
    private let der: [UInt8]

    init() throws { der = try Fixtures.certificates(Fixtures.chains["intermediate"])[0].der }

    private func block(_ label: String = "CERTIFICATE", width: Int = 64, ending: String = "\n", _ bytes: [UInt8]? = nil) -> String {
        var text = Base64.encode(bytes ?? der, .standard)[...]
        var lines = ["-----BEGIN \(label)-----"]
        while !text.isEmpty {
            lines.append(String(text.prefix(width)))
            text = text.dropFirst(width)
        }
        return (lines + ["-----END \(label)-----"]).joined(separator: ending) + ending
    }

    @Test("lines of any length and ending, blanks at their ends, headers and words in between are read")
    func read() throws {
        let blanks = block().split(separator: "\n").map { "\t" + $0 + "  " }.joined(separator: "\n")
        let headers = block().replacing("CERTIFICATE-----\nM", with: "CERTIFICATE-----\nSubject: web\nIssuer: x\n\nM")
        for text in [
            block(), block(width: 76), block(width: 1), block(width: 100_000), block(ending: "\r\n"), blanks, headers,
            "subject=web\n" + block() + "and so on\n", String(block().dropLast()), block(ending: "\r\r\n"),
            block().replacing("\nM", with: "\nM \t\r"), block(width: 4, ending: " \t\n"),
        ] {
            #expect(try Certificate.sequence(pem: text).map(\.der) == [der])
        }
        let mixed = block() + block("PRIVATE KEY") + block(width: 76)
        #expect(try Certificate.sequence(pem: mixed).map(\.der) == [der, der])
        #expect(try Certificate.sequence(pem: "nothing here").isEmpty)
    }

    @Test("words between blocks are passed over, whatever they look like", arguments: [
        "Übersicht der Wurzeln: 1\u{FFFD}\0\u{7F}", "-----", "----- BEGIN CERTIFICATE -----", "-----BEGINNING OF THE LIST-----", "-----BEGIN-----",
        "-----BEGIN of the list", "-----BEGIN CERTIFICATE----", "-----BEGIN CERTIFICATE----- of whom", "-----END of the list", "-----END-----",
        "MIIB", "MIIBszCCAVmgAwIBAgIQ", "Proc-Type: 4,ENCRYPTED", "a: b",
    ])
    func words(_ line: String) throws {
        let text = line + "\n\n" + block() + line + "\r\n# " + line + "\n" + block() + line
        #expect(try Certificate.sequence(pem: text).map(\.der) == [der, der])
    }

    @Test("a block is written with lines of 64 characters, and read back")
    func written() throws {
        #expect(PEMBlock("CERTIFICATE", der).text == block())
        for count in [1, 2, 3, 47, 48, 49, 96, 1000] {
            let written = PEMBlock("X Y", (0..<count).map { UInt8(truncatingIfNeeded: $0) })
            #expect(try PEMBlock.all(written.text + written.text) == [written, written])
        }
    }

    @Test("what is wrong is said, and in which block and line")
    func wrong() throws {
        let lines = block().split(separator: "\n").map(String.init)
        let count = lines.count
        func without(_ index: Int) -> String { (lines[..<index] + lines[(index + 1)...]).joined(separator: "\n") }
        let prefix = "certificates are not valid PEM: "
        let cases: [(String, String)] = [
            (without(count - 1), "block 1 (line 1) has no -----END line"),
            (without(count - 1) + "\n" + block(), "block 1 (line 1) has no -----END line"),
            (without(0), "line \(count - 1) ends a block that did not begin"),
            (block() + block().replacing("\n-----END", with: "A\n-----END"), "block 2 (line \(count + 1)) is not whole base64: characters are missing or too many"),
            (block() + block().replacing("\nM", with: "\n*M"), "block 2 is not base64 in line \(count + 2)"),
            (block() + block().replacing("BEGIN CERTIFICATE-", with: "BEGIN CERTIFICATE"), "line \(count + 1) is not a whole -----BEGIN line"),
            (block().replacing("BEGIN CERTIFICATE-----", with: "BEGIN CERTIFICATE----- x"), "line 1 is not a whole -----BEGIN line"),
            (block().replacing("BEGIN CERTIFICATE", with: "BEGIN"), "line 1 is not a whole -----BEGIN line"),
            (without(count - 1).replacing("BEGIN CERTIFICATE-", with: "BEGIN CERTIFICATE"), "line 1 is not a whole -----BEGIN line"),
            (block().replacing("END CERTIFICATE-", with: "END CERTIFICATE"), "line \(count) is not a whole -----END line"),
            (block().replacing("-----END", with: "-----BEGIN x-----\n-----END"), "block 1 (line 1) has no -----END line"),
            (block().replacing("\nM", with: "\nM\u{A0}"), "block 1 is not base64 in line 2"),
            (block().replacing("END CERTIFICATE", with: "END KEY"), "block 1 begins as another kind (line 1) than it ends (line \(count))"),
            ("-----BEGIN CERTIFICATE-----\n\n-----END CERTIFICATE-----", "block 1 (line 1) is empty"),
            (String(repeating: "x", count: PEMBlock.maximumLength + 1), "the text is longer than 4194304 bytes"),
        ]
        for (text, expected) in cases {
            #expect(message { _ = try Certificate.sequence(pem: text) } == prefix + expected)
        }
        let encrypted = "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END EC PRIVATE KEY-----"
        #expect(message { _ = try PrivateKey(pem: encrypted) } == "private key is not valid PEM: block 1 (line 2) is encrypted, which is not supported")
    }

    @Test("a certificate that cannot be read is complained about in words, and named among several")
    func malformed() throws {
        var damaged = der
        damaged[4] = 0x31
        let cases: [([UInt8], String)] = [
            (Array(der.dropLast()), "it ends within a field"), (damaged, "a field is of another type than X.509 has in its place"),
            (der + [0], "its fields are not those of an X.509 certificate"), ([], "it ends within a field"),
        ]
        for (bytes, expected) in cases {
            #expect(message { _ = try Certificate(spiffeDER: bytes) } == "malformed certificate: " + expected)
        }
        #expect(message { _ = try Certificate.sequence(pem: block() + block("CERTIFICATE", damaged)) }
            == "PEM block 2: malformed certificate: a field is of another type than X.509 has in its place")
        #expect(message { _ = try Certificate.sequence(der: der + damaged) }
            == "certificate 2, at byte \(der.count): malformed certificate: a field is of another type than X.509 has in its place")
        #expect(message { _ = try Certificate.sequence(der: der + [0x30, 0x82]) }
            == "certificate 2, at byte \(der.count): malformed certificate: truncated")
    }

    @Test("no damage anywhere in a certificate is answered with words of a library")
    func words() {
        for index in der.indices {
            for change: UInt8 in [0x01, 0xFF] {
                var damaged = der
                damaged[index] ^= change
                guard let message = message(of: { _ = try Certificate(spiffeDER: damaged) }) else { continue }
                #expect(!message.contains("Error") && !message.contains(".swift"), "\(message)")
            }
        }
    }
}
