// SPDX-License-Identifier: Apache-2.0

/// Decides each value of a configuration: a flag wins over the environment, that over the file, that over the default.
///
/// A zero value (empty text, 0, false) never wins over anything, as SPIRE has it: `-logSourceLocation=false` cannot
/// switch off what the file switches on, and `bind_port = 0` means the default.
package struct ConfigResolver {
    /// What was decided, in the order it was asked.
    package private(set) var origins: [ConfigOrigin] = []

    package init() {}

    /// Where the value decided last stands in the file, if it came from there.
    package var lastPosition: HCLPosition? { origins.last?.position }

    /// A text.
    package mutating func string(
        _ key: String, flag: String? = nil, environment: String? = nil, file: HCLSetting<String>?,
        default fallback: String = "", isSecret: Bool = false
    ) -> String {
        decide(key, flag, environment, file, fallback, isZero: \.isEmpty, isSecret: isSecret)
    }

    /// A whole number.
    package mutating func int(
        _ key: String, flag: Int? = nil, file: HCLSetting<Int>?, default fallback: Int = 0
    ) -> Int {
        decide(key, flag, nil, file, fallback, isZero: { $0 == 0 })
    }

    /// A boolean whose default is false.
    package mutating func bool(_ key: String, flag: Bool? = nil, file: HCLSetting<Bool>?) -> Bool {
        decide(key, flag, nil, file, false, isZero: { !$0 })
    }

    /// A boolean that may be switched off: only a file can, no flag does.
    package mutating func bool(_ key: String, file: HCLSetting<Bool>?, default fallback: Bool) -> Bool {
        decide(key, nil, nil, file, fallback, isZero: { _ in false })
    }

    /// A list of texts.
    package mutating func strings(_ key: String, file: HCLSetting<[String]>?) -> [String] {
        decide(key, nil, nil, file, [], isZero: \.isEmpty)
    }

    private mutating func decide<Value>(
        _ key: String, _ flag: Value?, _ environment: Value?, _ file: HCLSetting<Value>?, _ fallback: Value,
        isZero: (Value) -> Bool, isSecret: Bool = false
    ) -> Value {
        let candidates: [(Value?, ConfigOrigin.Source)] = [
            (flag, .flag), (environment, .environment), (file?.value, .file), (fallback, .default),
        ]
        for (value, source) in candidates {
            guard let value, source == .default || !isZero(value) else { continue }
            origins.append(
                ConfigOrigin(
                    key: key, value: isSecret && !isZero(value) ? "(secret)" : "\(value)", source: source,
                    position: source == .file ? file?.position : nil))
            return value
        }
        return fallback
    }
}

extension ConfigResolver {
    /// A duration; absent or empty means the default. A negative one is refused.
    ///
    /// - Parameter complaint: What to say before the reason when the text (its argument) is no duration.
    package mutating func duration(
        _ key: String, flag: String? = nil, file: HCLSetting<String>?, default fallback: Duration? = nil,
        _ diagnostics: HCLDiagnostics, complaint: (String) -> String
    ) -> Duration? {
        let text = string(key, flag: flag, file: file, default: "")
        guard !text.isEmpty else {
            origins[origins.count - 1] = ConfigOrigin(
                key: key, value: fallback.map(DurationText.short) ?? "unset", source: .default)
            return fallback
        }
        switch DurationText.parse(text) {
        case .success(let duration) where duration >= .zero: return duration
        case .success:
            diagnostics.report(
                .invalid, key: key, "\(complaint(text)): a duration must not be negative", at: lastPosition)
        case .failure(let failure):
            diagnostics.report(.invalid, key: key, "\(complaint(text)): \(failure)", at: lastPosition)
        }
        return fallback
    }
}
