// SPDX-License-Identifier: Apache-2.0

import HCL
import Testing

@Suite struct ConfigurationTextTests {
    @Test(
        "environment names are expanded as a shell would, without defaults",
        arguments: [
            ("a $X b", "a 1 b"), ("${X}${Y}", "1"), ("$$X", "$X"), ("$ x", "$ x"), ("${}z", "z"), ("${X", "X"),
            ("$X_y", ""), ("$X.y", "1.y"), ("cost: 5$", "cost: 5$"), ("${X:-d}", ""), ("$1$*", ""),
        ])
    func expansion(text: String, expanded: String) {
        let result = EnvironmentExpansion.expand(Array(text.utf8), ["X": "1"])
        #expect(String(decoding: result, as: UTF8.self) == expanded)
    }

    @Test(
        "durations are read in the syntax of configuration files",
        arguments: [
            ("1h30m", Duration.seconds(5400)), ("500ms", .milliseconds(500)), ("0", .zero),
            ("1.5s", .milliseconds(1500)), ("-2m", .seconds(-120)), ("1us", .microseconds(1)),
            ("1µs", .microseconds(1)), ("720h", .seconds(2_592_000)),
        ])
    func durations(text: String, value: Duration) throws {
        #expect(try DurationText.parse(text).get() == value)
    }

    @Test(
        "what is no duration is refused in the words operators know",
        arguments: [
            ("", "time: invalid duration \"\""), ("5", "time: missing unit in duration \"5\""),
            ("1d", "time: unknown unit \"d\" in duration \"1d\""), ("h", "time: invalid duration \"h\""),
            ("99999999999h", "time: invalid duration \"99999999999h\""),
            ("1h-2m", "time: unknown unit \"h-\" in duration \"1h-2m\""),
        ])
    func badDurations(text: String, message: String) {
        #expect(throws: DurationText.Failure.self) { try DurationText.parse(text).get() }
        if case .failure(let failure) = DurationText.parse(text) { #expect(failure.description == message) }
    }

    @Test("durations in warnings lose their empty parts")
    func shortDurations() {
        let spans: [Duration] = [.seconds(3600), .seconds(1800), .seconds(5400), .seconds(3661), .seconds(59), .zero]
        #expect(spans.map(DurationText.short) == ["1h", "30m", "1h30m", "1h1m1s", "59s", "0s"])
    }

    @Test("a flag wins over the file, the file over the default, and zero values never win")
    func precedence() {
        var resolver = ConfigResolver()
        let place = HCLPosition(line: 2, column: 1)
        let file = HCLSetting("file", key: "k", position: place)
        let texts = [
            resolver.string("a", flag: "flag", environment: "env", file: file),
            resolver.string("b", flag: "", environment: "env", file: file), resolver.string("c", flag: "", file: file),
        ]
        #expect(texts == ["flag", "env", "file"])
        let number = resolver.int("d", flag: 0, file: HCLSetting(0, key: "d", position: place), default: 7)
        let flag = resolver.bool("e", flag: false, file: HCLSetting(true, key: "e", position: place))
        #expect(number == 7 && flag)
        #expect(resolver.origins.map(\.source) == [.flag, .environment, .file, .default, .file])
        _ = resolver.string("token", flag: "hunter2", file: nil, isSecret: true)
        #expect(resolver.origins.last?.description == "token = (secret)  # flag")
    }
}
