// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Groundwork

@Suite("Memory of the process")
struct ProcessMemoryTests {
    @Test("only program text of files is given back")
    func ranges() {
        let maps = """
            55d0a0000000-55d0a0100000 r--p 00000000 fe:00 1234                       /usr/bin/spire-agent
            55d0a0100000-55d0a2500000 r-xp 00100000 fe:00 1234                       /usr/bin/spire-agent
            55d0a2500000-55d0a2600000 rw-p 02500000 fe:00 1234                       /usr/bin/spire-agent
            7f0000000000-7f0000001000 rwxp 00000000 fe:00 99                         /usr/lib/odd.so
            7f0000002000-7f0000003000 r-xp 00000000 00:00 0
            7ffc00000000-7ffc00001000 r-xp 00000000 00:00 0                          [vdso]
            7f0000004000-7f0000006000 r-xp 00000000 fe:00 77                         /opt/with space/lib.so
            nonsense
            """
        #expect(
            ProcessMemory.programText(Array(maps.utf8)) == [
                0x55d0_a010_0000..<0x55d0_a250_0000, 0x7f00_0000_4000..<0x7f00_0000_6000,
            ])
    }

    @Test("the program goes on as before")
    func alive() {
        let before = (0..<1000).map { "\($0)" }
        ProcessMemory.releaseStartUp()
        #expect((0..<1000).map { "\($0)" } == before)
    }
}
