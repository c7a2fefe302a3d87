// SPDX-License-Identifier: Apache-2.0

package import Groundwork

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Reads a file line by line without holding it.
struct LineReader: ~Copyable {
    enum Line {
        case whole([UInt8])
        /// Longer than any line may be; its size.
        case tooLong(Int)
        /// The last one, without its end.
        case torn([UInt8])
    }

    private let descriptor: Int32
    private let limit: Int
    private var buffer: [UInt8] = []
    private var start = 0
    private var isAtEnd = false

    init(_ path: String, from offset: Int = 0, limit: Int = AuditLine.maximumSize) throws {
        #if canImport(Glibc)
        let opened = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        #elseif canImport(Musl)
        let opened = Musl.open(path, O_RDONLY | O_CLOEXEC)
        #else
        let opened = Darwin.open(path, O_RDONLY | O_CLOEXEC)
        #endif
        guard opened >= 0 else {
            throw SpireError(.io, "cannot open \(path): \(String(cString: strerror(errno)))")
        }
        descriptor = opened
        self.limit = limit
        lseek(descriptor, off_t(offset), SEEK_SET)
    }

    deinit { close(descriptor) }

    mutating func next() -> Line? {
        var skipped = 0
        while true {
            if let end = buffer[start...].firstIndex(of: UInt8(ascii: "\n")) {
                let line = Array(buffer[start..<end])
                start = end + 1
                return skipped > 0 ? .tooLong(skipped + line.count) : .whole(line)
            }
            if isAtEnd {
                let rest = Array(buffer[start...])
                start = buffer.count
                if skipped > 0 { return .tooLong(skipped + rest.count) }
                return rest.isEmpty ? nil : .torn(rest)
            }
            if buffer.count - start > limit {
                skipped += buffer.count - start
                buffer.removeAll(keepingCapacity: true)
            } else {
                buffer.removeFirst(start)
            }
            start = 0
            fill()
        }
    }

    private mutating func fill() {
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = read(descriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            if count <= 0 { isAtEnd = true } else { buffer.append(contentsOf: chunk[..<count]) }
            return
        }
    }
}

/// The last lines of an audit log.
struct AuditTail {
    var lines: [AuditLine] = []
    /// Bytes of a last line without end.
    var torn = 0

    /// How much of the end is looked at: more than a crash can leave unrecorded.
    private static let span = 1 << 20

    static func read(_ path: String, size: Int) throws -> AuditTail {
        let from = max(0, size - span)
        var reader = try LineReader(path, from: from)
        var tail = AuditTail()
        // Begins in the middle of a line, most likely.
        if from > 0 { _ = reader.next() }
        while let line = reader.next() {
            switch line {
            case .whole(let bytes): if let line = AuditLine(bytes[...]) { tail.lines.append(line) }
            case .torn(let bytes): tail.torn = bytes.count
            case .tooLong: break
            }
        }
        return tail
    }
}

/// What is wrong with an audit log.
package struct AuditProblem: Sendable, Hashable {
    package let file: String
    /// In the file, from 1; 0 for the file as a whole.
    package let line: Int
    package let text: String
}

/// What verifying came to.
package struct AuditReport: Sendable {
    package var problems: [AuditProblem] = []
    package var first = 0
    package var last = 0
    package var lines = 0
    /// Whether the end was compared with what the server remembers.
    package var endWasChecked = false
    /// Keys that were calculated to reach lines which do not follow the one before.
    package var keysCalculated = 0
}

/// Checks audit logs line by line.
package enum AuditVerification {
    private static let maximumProblems = 1000

    /// What keeps a log that somebody made up from being calculated at for days: the key of each line is made from the
    /// one before, so a line far ahead costs as many steps as there are lines between, and so does each line that is wrong.
    package struct Limits: Sendable {
        /// The largest number a log may begin with when the server's state is not given.
        package var largestFirst: Int
        /// How many lines a server may write between the reading of its state and the reading of its log; and how many
        /// keys may be calculated beside those up to the last line.
        package var slack: Int

        package init(largestFirst: Int = 100_000_000, slack: Int = 1_000_000) {
            self.largestFirst = largestFirst
            self.slack = slack
        }
    }

    /// Reads a first key.
    /// - Throws: `invalid_argument`, `io`.
    package static func key(file: String) throws -> Secret<[UInt8]> {
        guard let bytes = try AtomicFile.read(file, limit: 4096) else {
            throw SpireError(.io, "there is no audit key file \(file)")
        }
        let text = String(decoding: bytes.prefix { $0 != 0x0a && $0 != 0x0d && $0 != 0x20 }, as: UTF8.self)
        guard let key = AuditChain.bytes(text, count: AuditChain.keySize) else {
            throw SpireError(.invalid, "\(file) is not an audit key file: it has to begin with 64 hexadecimal digits")
        }
        return Secret(key)
    }

    /// Checks the lines of `files`, oldest first, and their end by `state`, the server's state file.
    /// - Throws: `io` when a file cannot be read; `invalid_argument` when the first line is beyond what is looked at
    ///   without the state.
    package static func verify(
        files: [String], key: Secret<[UInt8]>, state: String?, limits: Limits = Limits()
    ) throws -> AuditReport {
        // Read first: while a server runs, lines may only be added after this.
        let remembered = try state.flatMap { path -> AuditChain? in
            guard let chain = try AuditStateFile.read(path) else { throw SpireError(.io, "there is no file \(path)") }
            return chain
        }
        var check = Check(chain: AuditChain(firstKey: key.reveal { $0 }), remembered: remembered, limits: limits)
        for file in try inOrder(files) { try check.read(file) }
        check.end(files.last ?? "")
        return check.report
    }

    /// The files by the number of their first line.
    package static func inOrder(_ files: [String]) throws -> [String] {
        try files.enumerated().map { place, file in
            var reader = try LineReader(file)
            var first = Int.max
            while let line = reader.next() {
                guard case .whole(let bytes) = line, let line = AuditLine(bytes[...]) else { continue }
                first = line.number
                break
            }
            return (file, first, place)
        }.sorted { ($0.1, $0.2) < ($1.1, $1.2) }.map(\.0)
    }

    /// Calls `body` with each line of `files`, oldest first; lines that are none are passed over.
    /// - Returns: how many were passed over.
    package static func each(_ files: [String], _ body: (AuditLine) throws -> Void) throws -> Int {
        var odd = 0
        for file in try inOrder(files) {
            var reader = try LineReader(file)
            while let line = reader.next() {
                guard case .whole(let bytes) = line, let line = AuditLine(bytes[...]) else {
                    odd += 1
                    continue
                }
                try body(line)
            }
        }
        return odd
    }

    private struct Check {
        var chain: AuditChain
        let remembered: AuditChain?
        var report = AuditReport()
        /// A line that is none, until the next one has explained it or not.
        var broken: (file: String, line: Int, bytes: Int)?
        var sealRemembered: String?

        private let limits: Limits
        /// The furthest that keys were calculated for.
        private var furthest: AuditChain
        /// Keys that may still be calculated.
        private var budget: Int

        init(chain: AuditChain, remembered: AuditChain?, limits: Limits) {
            self.chain = chain
            self.remembered = remembered
            self.limits = limits
            furthest = chain
            budget = (remembered?.number ?? limits.largestFirst) + 2 * limits.slack
        }

        /// Numbers beyond are not of this log.
        private var ceiling: Int { (remembered?.number ?? max(limits.largestFirst, chain.number)) + limits.slack }

        /// The chain just before a line that is not behind, for the line's key; `nil` when the budget is spent.
        private mutating func before(_ number: Int) -> AuditChain? {
            var found = furthest.number > chain.number && furthest.number < number ? furthest : chain
            let steps = number - 1 - found.number
            guard steps <= budget else { return nil }
            budget -= steps
            report.keysCalculated += steps
            found.skip(to: number)
            if found.number > furthest.number { furthest = found }
            return found
        }

        mutating func read(_ file: String) throws {
            var reader = try LineReader(file)
            var place = 0
            while let line = reader.next() {
                place += 1
                switch line {
                case .whole(let bytes):
                    if let line = AuditLine(bytes[...]) {
                        try take(line, file, place)
                    } else {
                        settleBroken()
                        broken = (file, place, bytes.count)
                    }
                case .tooLong(let count):
                    settleBroken()
                    broken = (file, place, count)
                case .torn(let bytes):
                    settleBroken()
                    problem(file, place, "ends in the middle of a line of \(bytes.count) bytes")
                }
            }
        }

        private mutating func take(_ line: AuditLine, _ file: String, _ place: Int) throws {
            let events = String(decoding: line.event, as: UTF8.self)
            if let broken {
                // The server found the remains of a line after a crash and said so.
                if !events.contains("\"torn_bytes\":\"\(broken.bytes)\"") { settleBroken() }
                self.broken = nil
            }
            defer { report.lines += 1 }
            if report.lines == 0 {
                report.first = line.number
                if remembered == nil, line.number > limits.largestFirst {
                    throw SpireError(
                        .invalid,
                        "\(file):\(place): the log begins with line \(line.number); without the server's state (-state), "
                            + "numbers beyond \(limits.largestFirst) are believed only with a larger -limit")
                }
                guard line.number <= ceiling, var own = before(line.number) else {
                    return problem(file, place, "line \(line.number) is not of this log")
                }
                guard own.seals(line) else { return problem(file, place, "line \(line.number) was changed, or the key is of another log") }
                if line.number == 1, line.previous != AuditChain.origin {
                    problem(file, place, "line 1 does not begin the chain")
                }
                own.resume(after: line)
                chain = own
                return accepted(line, events, file, place)
            }
            if chain.accept(line) { return accepted(line, events, file, place) }
            let expected = chain.number + 1
            if line.number < expected {
                return problem(file, place, "line \(line.number) stands after line \(chain.number): it was copied or moved")
            }
            guard line.number <= ceiling else {
                return problem(file, place, "line \(line.number) is not of this log")
            }
            guard var ahead = before(line.number) else {
                return problem(
                    file, place, "line \(line.number) was not checked: with the wrong lines so far it would take too long")
            }
            guard ahead.seals(line) else {
                // The number may be what was changed: go on as if this were the line that belongs here.
                return problem(file, place, "line \(line.number) was changed")
            }
            if line.number > expected {
                problem(file, place, "lines \(expected) to \(line.number - 1) are missing before line \(line.number), or were changed")
            } else {
                problem(file, place, "line \(line.number) does not follow the line before it")
            }
            ahead.resume(after: line)
            chain = ahead
            accepted(line, events, file, place)
        }

        private mutating func accepted(_ line: AuditLine, _ event: String, _ file: String, _ place: Int) {
            report.last = line.number
            if line.number == remembered?.number { sealRemembered = line.seal }
            guard event.contains("\"type\":\"audit_log\"") else { return }
            for (mark, text) in [
                ("\"missing\":\"", "the server found lines missing when it started: "),
                ("\"foreign\":\"", "the server found a line that is not its own when it started: "),
                ("\"action\":\"lost\",\"count\":\"", "events could not be written: "),
            ] {
                if let range = event.firstRange(of: mark) {
                    problem(file, place, text + event[range.upperBound...].prefix { $0 != "\"" })
                }
            }
        }

        private mutating func settleBroken() {
            if let broken { problem(broken.file, broken.line, "is not a line of an audit log") }
            broken = nil
        }

        mutating func end(_ file: String) {
            settleBroken()
            guard let remembered else { return }
            report.endWasChecked = true
            if report.last < remembered.number {
                problem(file, 0, "the end is missing: lines \(report.last + 1) to \(remembered.number)")
            } else if let sealRemembered, sealRemembered != remembered.seal {
                problem(file, 0, "line \(remembered.number) is not the one the server wrote")
            }
        }

        private mutating func problem(_ file: String, _ line: Int, _ text: String) {
            guard report.problems.count < maximumProblems else { return }
            report.problems.append(AuditProblem(file: file, line: line, text: text))
        }
    }
}
