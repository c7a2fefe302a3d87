// SPDX-License-Identifier: Apache-2.0

/// A recorded session of command lines, for comparison with what a program prints now.
///
/// `$ program arguments`, then `1| ` before each line of standard output, `2| ` before each of standard error, then
/// `exit N` and an empty line. A last line that had no newline is marked `1> ` or `2> `.
package struct GoldenSession: Sendable {
    /// What one command did.
    package struct Outcome: Sendable, Hashable {
        package let out: String
        package let err: String
        package let exitCode: Int32

        package init(out: String, err: String, exitCode: Int32) {
            self.out = out
            self.err = err
            self.exitCode = exitCode
        }

        /// The lines of a session after the command's.
        package var lines: [String] {
            Self.marked(out, "1") + Self.marked(err, "2") + ["exit \(exitCode)"]
        }

        private static func marked(_ text: String, _ stream: String) -> [String] {
            var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
            guard let last = lines.popLast() else { return [] }
            return lines.map { "\(stream)| \($0)" } + (last.isEmpty ? [] : ["\(stream)> \(last)"])
        }
    }

    /// One command and the lines recorded for it.
    package struct Step: Sendable, Hashable {
        /// Program and arguments as written.
        package let command: String
        package let lines: [String]

        package init(command: String, lines: [String]) {
            self.command = command
            self.lines = lines
        }

        /// The arguments without the program: words between spaces; single quotes keep spaces.
        package var arguments: [String] {
            var words: [String] = []
            var word: String?
            var quoted = false
            for character in command {
                switch character {
                case "'":
                    quoted.toggle()
                    word = word ?? ""
                case " " where !quoted:
                    if let done = word { words.append(done) }
                    word = nil
                default: word = (word ?? "") + String(character)
                }
            }
            if let word { words.append(word) }
            return Array(words.dropFirst())
        }
    }

    package var steps: [Step]

    /// Reads a session; text outside of steps is skipped.
    package init(_ text: String) {
        steps = []
        for block in text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init).split(separator: "") {
            var lines = Array(block)
            while let first = lines.first, !first.hasPrefix("$ ") { lines.removeFirst() }
            guard let command = lines.first else { continue }
            steps.append(Step(command: String(command.dropFirst(2)), lines: Array(lines.dropFirst())))
        }
    }

    package var text: String {
        steps.map { "$ \($0.command)\n" + $0.lines.joined(separator: "\n") + "\n" }.joined(separator: "\n")
    }
}
