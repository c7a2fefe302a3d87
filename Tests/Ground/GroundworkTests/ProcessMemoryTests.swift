// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Groundwork

@Suite("Memory of the process")
struct ProcessMemoryTests {
    /// A mapping as the system describes it, with some of the lines it writes.
    private func mapping(_ line: String, anonymous: Int?) -> String {
        let anonymous = anonymous.map { "Anonymous:      \($0) kB\n" } ?? ""
        return "\(line)\nSize:               1024 kB\nRss:                  64 kB\n\(anonymous)VmFlags: rd mr mw me sd\n"
    }

    @Test("only pages that are as their files have them are given back")
    func ranges() {
        let maps = [
            mapping("55d0a0000000-55d0a0100000 r--p 00000000 fe:00 1234           /usr/bin/spire-agent", anonymous: 0),
            mapping("55d0a0100000-55d0a2500000 r-xp 00100000 fe:00 1234           /usr/bin/spire-agent", anonymous: 0),
            // What the loader has filled in, and only then closed.
            mapping("55d0a2500000-55d0a2580000 r--p 02500000 fe:00 1234           /usr/bin/spire-agent", anonymous: 512),
            mapping("55d0a2580000-55d0a2600000 rw-p 02580000 fe:00 1234           /usr/bin/spire-agent", anonymous: 0),
            mapping("7f0000000000-7f0000001000 rwxp 00000000 fe:00 99             /usr/lib/odd.so", anonymous: 0),
            mapping("7f0000002000-7f0000003000 r-xp 00000000 00:00 0", anonymous: 0),
            mapping("7f0000003000-7f0000004000 r--s 00000000 fe:00 78             /var/lib/shared", anonymous: 0),
            mapping("7ffc00000000-7ffc00001000 r-xp 00000000 00:00 0              [vdso]", anonymous: 0),
            mapping("7f0000004000-7f0000006000 r-xp 00000000 fe:00 77             /opt/with space/lib.so", anonymous: 0),
            mapping("7f0000008000-7f0000009000 r-xp 00000000 fe:00 77             /opt/breakpoint.so", anonymous: 4),
            mapping("7f000000a000-7f000000b000 r-xp 00000000 fe:00 77             /opt/unknown.so", anonymous: nil),
            "nonsense\nAnonymous: 0 kB\n",
        ].joined()
        #expect(
            ProcessMemory.untouchedFiles(Array(maps.utf8)) == [
                0x55d0_a000_0000..<0x55d0_a010_0000, 0x55d0_a010_0000..<0x55d0_a250_0000,
                0x7f00_0000_4000..<0x7f00_0000_6000,
            ])
    }

    @Test("the program goes on as before")
    func alive() {
        let before = (0..<1000).map { "\($0)" }
        ProcessMemory.releaseStartUp()
        #expect((0..<1000).map { "\($0)" } == before)
    }
}
