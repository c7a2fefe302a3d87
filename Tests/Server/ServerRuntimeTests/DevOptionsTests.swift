// SPDX-License-Identifier: Apache-2.0

import Groundwork
import Testing

@testable import ServerRuntime

@Suite struct DevOptionsTests {
    @Test("the flags of dev are read in both spellings")
    func flags() throws {
        #expect(try DevOptions([]).once == false)
        #expect(try DevOptions(["-once"]).once)
        #expect(try DevOptions(["--once"]).once)
        #expect(try DevOptions(["-trustDomain", "a.test"]).trustDomain == "a.test")
        #expect(try DevOptions(["-trustDomain=a.test"]).trustDomain == "a.test")
    }

    @Test("unknown flags, arguments and missing values are refused", arguments: [["-x"], ["x"], ["-trustDomain"]])
    func refused(_ arguments: [String]) {
        #expect(throws: SpireError(.invalid, "")) { _ = try DevOptions(arguments) }
    }
}
