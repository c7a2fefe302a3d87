// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import CLISupport

@Suite struct FlagSetTests {
    /// A set with a flag of each kind.
    struct Flags {
        let set = FlagSet("test")
        let name: Flag<String>
        let count: Flag<Int>
        let on: Flag<Bool>
        let wait: Flag<Duration>
        let items: Flag<[String]>
        let output: Flag<OutputFormat>

        init() {
            name = set.string("name", "nobody", "Name")
            count = set.int("count", 3, "Count")
            on = set.bool("on", "On")
            wait = set.duration("wait", .seconds(90), "Wait")
            items = set.list("item", "Item")
            output = set.output()
        }
    }

    @Test("one dash or two, a value behind a space or an equals sign, and the rest left over")
    func parse() throws {
        let flags = Flags()
        try flags.set.parse(["-name", "x", "--count=0x10", "-on", "-wait", "1h30m", "-item", "a", "-item=b", "rest", "-on=false"])
        #expect(flags.name.value == "x" && flags.count.value == 16 && flags.on.value && flags.items.value == ["a", "b"])
        #expect(flags.wait.value == .seconds(5400))
        #expect(flags.set.leftOver == ["rest", "-on=false"])
        let others = Flags()
        try others.set.parse(["-on=F", "--", "-name", "y"])
        #expect(!others.on.value && others.name.value == "nobody" && others.set.leftOver == ["-name", "y"])
    }

    static let wrong: [([String], String)] = [
        (["-nope"], "flag provided but not defined: -nope"), (["-name"], "flag needs an argument: -name"),
        (["---name"], "bad flag syntax: ---name"), (["-=x"], "bad flag syntax: -=x"),
        (["-count", "ten"], "invalid value \"ten\" for flag -count: parse error"),
        (["-count", "99999999999999999999"], "invalid value \"99999999999999999999\" for flag -count: value out of range"),
        (["-on=maybe"], "invalid boolean value \"maybe\" for -on: parse error"),
        (["-wait", "5d"], "invalid value \"5d\" for flag -wait: parse error"),
        (["-output", "xml"], "invalid value \"xml\" for flag -output: bad formatter flag: unknown format option: \"xml\""),
        (["-output", "json", "-output", "pretty"], "invalid value \"pretty\" for flag -output: the output format has already been set to \"json\""),
    ]

    @Test("wrong flags are named in Go's words", arguments: wrong)
    func refuses(_ arguments: [String], _ message: String) {
        #expect {
            try Flags().set.parse(arguments)
        } throws: { "\($0)" == message }
    }

    @Test("the usage block is Go's: sorted, with kinds and defaults")
    func usage() {
        #expect(
            Flags().set.usage == """
                Usage of test:
                  -count int
                    \tCount (default 3)
                  -item value
                    \tItem
                  -name string
                    \tName (default "nobody")
                  -on
                    \tOn
                  -output value
                    \tDesired output format (pretty, json); default: pretty.
                  -wait duration
                    \tWait (default 1m30s)

                """)
    }

    @Test("spans are written and read as Go does", arguments: [
        ("1h2m3s", Duration.seconds(3723)), ("500ms", .milliseconds(500)), ("1.5s", .milliseconds(1500)), ("0s", .zero),
        ("-1m0s", .seconds(-60)), ("15µs", .microseconds(15)), ("7ns", .nanoseconds(7)), ("720h0m0s", .seconds(2_592_000)),
    ])
    func spans(_ text: String, _ span: Duration) {
        #expect(GoText.duration(span) == text)
        #expect(GoText.parseDuration(text) == span)
    }

    @Test("what is no span is none", arguments: ["", "1", "1x", "h", "1h-2m", "..s", "1e3s", "99999999999h"])
    func noSpans(_ text: String) { #expect(GoText.parseDuration(text) == nil) }

    @Test("JSON is sorted, without nulls, and safe to put in a page")
    func json() {
        let node: JSONNode = .object([
            "b": .int64(5), "a": .array([.null, .bool(true), .string("<&>\"\\\n\u{1}\u{2028}")]), "z": .null, "n": .int(3),
        ])
        #expect(node.text == #"{"a":[true,"\u003c\u0026\u003e\"\\\n\u0001\u2028"],"b":"5","n":3}"#)
        #expect(JSONNode.record([.init("z", .int(1)), .init("a", .int(2))]).text == #"{"z":1,"a":2}"#)
    }
}
