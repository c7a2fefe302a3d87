// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
package import Groundwork
package import Logging
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// The audit log as a stream of its own: a file of sealed lines of which none can be changed, removed or put elsewhere
/// without `spire-server audit verify` showing it.
package final class AuditLog: Sendable {
    private struct State {
        var chain: AuditChain
        var descriptor: Int32
        var size: Int
        /// Events that could not be written since the last that could.
        var lost = 0
    }

    /// Where the parts of an audit log are.
    package struct Places: Sendable, Hashable {
        /// The log itself.
        package var log: String
        /// Its first key, by which lines are verified. Made once; may be moved to a safer place.
        package var key: String
        /// Where the chain stands.
        package var state: String

        /// - Parameter directory: Only the server may read it.
        package init(log: String, directory: String) {
            self.log = log
            key = directory + "/audit-log.key"
            state = directory + "/audit-log.state"
        }
    }

    private let places: Places
    private let file: AuditStateFile
    private let time: any TimeSource
    private let logger: Logger
    private let state: Mutex<State>

    /// Opens the log, or begins a new one, and goes on with its chain. What a crash left behind is recorded as such.
    ///
    /// - Throws: `io` when a file cannot be used; `failed_precondition` when a log is there whose state is not.
    package init(_ places: Places, time: any TimeSource, random: any RandomSource, logger: Logger) throws {
        self.places = places
        self.time = time
        self.logger = logger
        let (descriptor, size) = try Self.open(places.log)
        do {
            if let (file, chain) = try AuditStateFile.open(places.state) {
                self.file = file
                state = Mutex(State(chain: chain, descriptor: descriptor, size: size))
            } else {
                guard size == 0 else {
                    throw SpireError(
                        .failedPrecondition,
                        "the audit log \(places.log) is there, but its state \(places.state) is missing; move the log away to begin a new chain"
                    )
                }
                let chain = AuditChain(firstKey: random.bytes(AuditChain.keySize))
                try AtomicFile.write(Array((AuditChain.hex(chain.key) + "\n").utf8), to: places.key, mode: 0o600)
                file = try AuditStateFile.create(places.state, chain)
                state = Mutex(State(chain: chain, descriptor: descriptor, size: size))
            }
        } catch {
            close(descriptor)
            throw error
        }
        try recover()
    }

    deinit {
        state.withLock { _ = close($0.descriptor) }
        file.closeFile()
    }

    // MARK: Writing

    /// Records an event. An event that cannot be written is counted, complained about, and its loss recorded as soon as
    /// something can be written again.
    package func record(_ fields: [String: String]) {
        let event = Self.json(fields)
        let failure = state.withLock { state -> String? in
            if state.lost > 0 {
                let lost = Self.json(["type": "audit_log", "action": "lost", "count": "\(state.lost)"])
                if let failure = append(lost, &state) {
                    state.lost += 1
                    return failure
                }
                state.lost = 0
            }
            guard let failure = append(event, &state) else { return nil }
            state.lost += 1
            return failure
        }
        if let failure {
            logger.error("Unable to write audit log", metadata: ["path": "\(places.log)", LogKey.error: "\(failure)"])
        }
    }

    /// Closes the file and opens it again under its name, after an operator has moved it away. The chain goes on.
    /// - Throws: `io`; the old file stays in use then.
    package func reopen() throws {
        let (descriptor, size) = try Self.open(places.log)
        state.withLock { state in
            close(state.descriptor)
            state.descriptor = descriptor
            state.size = size
        }
    }

    /// - Returns: why it failed.
    private func append(_ event: [UInt8], _ state: inout State) -> String? {
        var chain = state.chain
        let line = chain.append(time: stamp, event: event)
        guard line.count <= AuditLine.maximumSize else { return "the event is too large" }
        if let failure = Self.write(line, state.descriptor) {
            // Half a line must not stay, so that the next one is not written behind it.
            if ftruncate(state.descriptor, off_t(state.size)) != 0 { state.size = Self.size(state.descriptor) }
            return failure
        }
        state.size += line.count
        state.chain = chain
        if !file.write(chain) { return "its state \(places.state) cannot be written" }
        return nil
    }

    private var stamp: String {
        let now = time.now.timeIntervalSince1970
        let whole = now.rounded(.down)
        var out: [UInt8] = Array(Date(timeIntervalSince1970: whole).formatted(.iso8601).utf8)
        if out.last == UInt8(ascii: "Z") { out.removeLast() }
        let micros = Int((now - whole) * 1_000_000)
        let fraction = String(micros)
        return String(decoding: out, as: UTF8.self) + "." + String(repeating: "0", count: max(0, 6 - fraction.count))
            + fraction + "Z"
    }

    private static func json(_ fields: [String: String]) -> [UInt8] {
        var out: [UInt8] = [UInt8(ascii: "{")]
        for (place, (key, value)) in fields.sorted(by: { $0.key < $1.key }).enumerated() {
            if place > 0 { out.append(UInt8(ascii: ",")) }
            LogText.appendJSON(key, to: &out)
            out.append(UInt8(ascii: ":"))
            LogText.appendJSON(value, to: &out)
        }
        out.append(UInt8(ascii: "}"))
        return out
    }

    // MARK: Going on after a restart

    /// Compares the end of the file with the state.
    private func recover() throws {
        let (chain, size) = state.withLock { ($0.chain, $0.size) }
        guard size > 0 else {
            if chain.number > 0 { record(["type": "audit_log", "action": "continued"]) }
            return
        }
        let end = try AuditTail.read(places.log, size: size)
        var known = chain
        var fields: [String: String] = ["type": "audit_log"]
        // Lines written before the state could be: a crash in between.
        for line in end.lines where line.number > known.number { if !known.accept(line) { break } }
        if end.torn > 0 { fields["torn_bytes"] = "\(end.torn)" }
        let last = end.lines.last?.number ?? 0
        if last < chain.number {
            fields["missing"] = "\(last + 1)-\(chain.number)"
            logger.error(
                "Audit log is shorter than it was",
                metadata: ["path": "\(places.log)", "missing": "\(last + 1)-\(chain.number)"])
        } else if end.lines.last.map({ $0.seal != known.seal }) ?? false {
            fields["foreign"] = "\(last)"
            logger.error("Audit log ends with a line that is not ours", metadata: ["path": "\(places.log)"])
        }
        state.withLock { state in
            state.chain = known
            if end.torn > 0, Self.write([UInt8(ascii: "\n")], state.descriptor) == nil { state.size += 1 }
        }
        fields["action"] = fields.count > 1 ? "recovered" : "opened"
        record(fields)
    }

    // MARK: The file

    private static func open(_ path: String) throws -> (Int32, Int) {
        #if canImport(Glibc)
        let opened = Glibc.open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0o640)
        #elseif canImport(Musl)
        let opened = Musl.open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0o640)
        #else
        let opened = Darwin.open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0o640)
        #endif
        guard opened >= 0 else {
            throw SpireError(.io, "unable to open audit log: open \(path): \(String(cString: strerror(errno)))")
        }
        return (opened, size(opened))
    }

    private static func size(_ descriptor: Int32) -> Int {
        var facts = stat()
        return fstat(descriptor, &facts) == 0 ? Int(facts.st_size) : 0
    }

    /// - Returns: why not everything was written.
    private static func write(_ bytes: [UInt8], _ descriptor: Int32) -> String? {
        bytes.withUnsafeBytes { buffer in
            var sent = 0
            while sent < buffer.count {
                #if canImport(Glibc)
                let count = Glibc.write(descriptor, buffer.baseAddress.map { $0 + sent }, buffer.count - sent)
                #elseif canImport(Musl)
                let count = Musl.write(descriptor, buffer.baseAddress.map { $0 + sent }, buffer.count - sent)
                #else
                let count = Darwin.write(descriptor, buffer.baseAddress.map { $0 + sent }, buffer.count - sent)
                #endif
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { return String(cString: strerror(errno)) }
                sent += count
            }
            return nil
        }
    }
}
