// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Groundwork
#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Tells an operator's shells to ask this program for completions, or not to any more.
///
/// The lines are those the original's library writes, so that either program removes what the other installed.
struct CompletionInstaller {
    enum Change { case install, remove }

    let program: String
    let environment: [String: String]

    private static let limit = 4 << 20

    /// - Throws: `CommandFailure` when there is no shell to tell, or a file cannot be changed.
    func change(_ change: Change) throws {
        guard let home = environment["HOME"], !home.isEmpty else {
            throw CommandFailure("HOME is not set: it is not known whose shells to set up")
        }
        guard let binary = Self.ownPath() else {
            throw CommandFailure("the path of this program is not known")
        }
        var shells: [(file: String, lines: [String])] = []
        let bash = [".bashrc", ".bash_profile", ".bash_login", ".profile"].first { exists("\(home)/\($0)") }
        if let bash { shells.append(("\(home)/\(bash)", ["complete -C \(binary) \(program)"])) }
        if exists("\(home)/.zshrc") {
            shells.append((
                "\(home)/.zshrc",
                ["autoload -U +X bashcompinit && bashcompinit", "complete -o nospace -C \(binary) \(program)"]
            ))
        }
        let fish = (environment["XDG_CONFIG_HOME"].flatMap { $0.isEmpty ? nil : $0 } ?? home + "/.config") + "/fish"
        let hasFish = exists(fish)
        guard !shells.isEmpty || hasFish else {
            throw CommandFailure("Did not find any shells to \(change == .install ? "install" : "uninstall")")
        }
        for (file, lines) in shells {
            switch change {
            case .install: try install(lines, in: file)
            // What other programs share with us stays.
            case .remove: try remove(lines.suffix(1), from: file)
            }
        }
        if hasFish { try self.fish(change, folder: fish + "/completions", binary) }
    }

    private func install(_ lines: [String], in file: String) throws {
        let text = try read(file)
        let present = Set(text.split(separator: "\n").map(String.init))
        let missing = lines.filter { !present.contains($0) }
        guard missing.contains(lines.last ?? "") else { throw CommandFailure("already installed in \(file)") }
        let start = text.isEmpty || text.hasSuffix("\n") ? "" : "\n"
        try write(text + start + missing.joined(separator: "\n") + "\n", to: file)
    }

    private func remove(_ lines: some Sequence<String>, from file: String) throws {
        let unwanted = Set(lines)
        let text = try read(file)
        let kept = text.split(separator: "\n", omittingEmptySubsequences: false).filter { !unwanted.contains(String($0)) }
        let rest = kept.joined(separator: "\n")
        guard rest != text else { throw CommandFailure("not installed in \(file)") }
        try write(rest, to: file)
    }

    private func fish(_ change: Change, folder: String, _ binary: String) throws {
        let file = "\(folder)/\(program).fish"
        switch change {
        case .install:
            guard !exists(file) else { throw CommandFailure("already installed at \(file)") }
            do {
                try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            } catch {
                throw CommandFailure("cannot create \(folder): \(error)")
            }
            try write(
                """
                function __complete_\(program)
                    set -lx COMP_LINE (commandline -cp)
                    test -z (commandline -ct)
                    and set COMP_LINE "$COMP_LINE "
                    \(binary)
                end
                complete -f -c \(program) -a "(__complete_\(program))"

                """, to: file)
        case .remove:
            guard exists(file) else { throw CommandFailure("not installed in \(file)") }
            guard unsafe unlink(file) == 0 else { throw CommandFailure("cannot remove \(file)") }
        }
    }

    // MARK: Files

    private func exists(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }

    private func read(_ file: String) throws -> String {
        let bytes: [UInt8]?
        do {
            bytes = try AtomicFile.read(file, limit: Self.limit)
        } catch {
            throw CommandFailure("\(error)")
        }
        guard let text = String(validating: bytes ?? [], as: UTF8.self) else {
            throw CommandFailure("\(file) is not text in UTF-8; it is left as it is")
        }
        return text
    }

    /// Replaces the file, or what it links to, keeping its mode.
    private func write(_ text: String, to file: String) throws {
        var target = file
        if let resolved = unsafe realpath(file, nil) {
            target = unsafe String(cString: resolved)
            unsafe free(resolved)
        }
        var status = stat()
        let mode: UInt32 = unsafe stat(target, &status) == 0 ? UInt32(status.st_mode) & 0o777 : 0o644
        do {
            try AtomicFile.write(Array(text.utf8), to: target, mode: mode)
        } catch {
            throw CommandFailure("\(error)")
        }
    }

    /// The running program's file.
    private static func ownPath() -> String? {
        #if os(Linux)
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = unsafe readlink("/proc/self/exe", &buffer, buffer.count)
        if count > 0 { return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self) }
        #endif
        return CommandLine.arguments.first.map { SocketPath.absolute($0) }
    }
}
