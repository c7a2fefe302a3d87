// SPDX-License-Identifier: Apache-2.0

package import HCL

extension LogSettings {
    /// What the command line says about logging; `nil` says nothing.
    package struct Flags: Sendable {
        package var level: String?
        package var format: String?
        package var file: String?
        package var includesSourceLocation: Bool?

        package init(level: String?, format: String?, file: String?, includesSourceLocation: Bool?) {
            self.level = level
            self.format = format
            self.file = file
            self.includesSourceLocation = includesSourceLocation
        }
    }

    /// Reads the `log_*` keys of a section.
    package static func decode(_ block: HCLBlock, _ flags: Flags, _ resolver: inout ConfigResolver) -> LogSettings {
        var settings = LogSettings()
        let levelText = resolver.string(
            block.fullName("log_level"), flag: flags.level, file: block.string("log_level"), default: "INFO")
        if let level = LogLevel(levelText) {
            settings.level = level
        } else {
            block.diagnostics.report(
                .invalid, key: block.fullName("log_level"),
                "could not start logger: not a valid logrus Level: \"\(levelText)\"", at: resolver.lastPosition)
        }
        let formatText = resolver.string(
            block.fullName("log_format"), flag: flags.format, file: block.string("log_format"))
        if let format = LogFormat(formatText) {
            settings.format = format
        } else {
            block.diagnostics.report(
                .invalid, key: block.fullName("log_format"),
                "could not start logger: unknown logger format: \"\(formatText)\"", at: resolver.lastPosition)
        }
        settings.file = resolver.string(
            block.fullName("log_file"), flag: flags.file, file: block.string("log_file"))
        settings.includesSourceLocation = resolver.bool(
            block.fullName("log_source_location"), flag: flags.includesSourceLocation,
            file: block.bool("log_source_location"))
        return settings
    }
}
