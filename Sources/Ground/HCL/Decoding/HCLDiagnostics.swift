// SPDX-License-Identifier: Apache-2.0

/// Collects what is wrong while a configuration is read, so that all of it can be reported at once.
package final class HCLDiagnostics {
    package private(set) var problems: [ConfigProblem] = []
    /// Put before every type error, such as `unable to decode configuration at "x": `.
    package let prefix: String
    /// The file's name, for positions.
    package let file: String?
    /// Log records to write once there is a logger.
    package private(set) var notices: [ConfigNotice] = []
    private var failed: Set<String> = []

    package init(prefix: String = "", file: String? = nil) {
        self.prefix = prefix
        self.file = file
    }

    /// Adds a problem.
    package func report(_ kind: ConfigProblem.Kind, key: String, _ message: String, at position: HCLPosition?) {
        failed.insert(key)
        problems.append(ConfigProblem(kind, key: key, message, at: position, file: file))
    }

    /// Adds a value that cannot be decoded. `reason` holds SPIRE's words, `wanted` what would be right.
    func mistyped(_ key: String, _ reason: String, wanted: String, at position: HCLPosition) {
        report(.invalid, key: key, "\(prefix)\(reason): \(key) must be \(wanted)", at: position)
    }

    /// Adds a log record.
    package func notice(_ level: ConfigNotice.Level, _ message: String, fields: [String: String] = [:]) {
        notices.append(ConfigNotice(level, message, fields: fields))
    }

    /// Adds the unknown keys of a section; tolerated ones are logged only.
    func unknown(_ keys: [HCLKey], in section: String, path: String, known: [String], isTolerated: Bool) {
        let fields = ["section": section, "keys": keys.map(\.text).sorted().joined(separator: ",")]
        if isTolerated { return notice(.warning, "Unknown configuration ignored", fields: fields) }
        notice(.error, "Unknown configuration detected", fields: fields)
        for key in keys {
            let name = path.isEmpty ? key.text : "\(path).\(key.text)"
            let hint = Spelling.nearest(to: key.text, among: known).map { "; did you mean \"\($0)\"?" } ?? ""
            problems.append(
                ConfigProblem(
                    .unknownKey, key: name, "unknown configuration detected: \"\(name)\"\(hint)", at: key.position,
                    file: file))
        }
    }

    /// Whether a problem with this key has been reported already.
    package func hasFailed(_ key: String) -> Bool { failed.contains(key) }

    /// Whether a problem with one of these keys has been reported already.
    package func hasFailedAny(_ keys: [String]) -> Bool { keys.contains(where: hasFailed) }
}
