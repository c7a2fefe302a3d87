// SPDX-License-Identifier: Apache-2.0

import APIProtos
import Datastore

/// Selectors in both directions.
enum SelectorMapping {
    static func model(_ selectors: [Spire_Api_Types_Selector]) throws -> [Selector] {
        try selectors.map { selector in
            guard !selector.type.isEmpty else { throw Malformed("missing selector type") }
            guard !selector.type.utf8.contains(UInt8(ascii: ":")) else {
                throw Malformed("selector type contains ':'")
            }
            guard !selector.value.isEmpty else { throw Malformed("missing selector value") }
            return Selector(type: selector.type, value: selector.value)
        }
    }

    static func proto(_ selectors: [Selector]) -> [Spire_Api_Types_Selector] {
        selectors.map { selector in
            var proto = Spire_Api_Types_Selector()
            proto.type = selector.type
            proto.value = selector.value
            return proto
        }
    }

    static func behavior(_ match: Spire_Api_Types_SelectorMatch.MatchBehavior) throws -> MatchBehavior {
        switch match {
        case .matchExact: .exact
        case .matchSubset: .subset
        case .matchSuperset: .superset
        case .matchAny: .any
        case .UNRECOGNIZED(let value): throw Malformed("unsupported match behavior \(value)")
        }
    }

    static func behavior(_ match: Spire_Api_Types_FederatesWithMatch.MatchBehavior) throws -> MatchBehavior {
        switch match {
        case .matchExact: .exact
        case .matchSubset: .subset
        case .matchSuperset: .superset
        case .matchAny: .any
        case .UNRECOGNIZED(let value): throw Malformed("unsupported match behavior \(value)")
        }
    }

    /// As audit lines show them.
    static func text(_ selectors: [Spire_Api_Types_Selector]) -> String {
        selectors.map { "\($0.type):\($0.value)" }.joined(separator: ",")
    }
}
