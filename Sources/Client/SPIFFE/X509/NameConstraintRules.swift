// SPDX-License-Identifier: Apache-2.0

import SwiftASN1
import X509

/// Name constraints of the authorities of a path, for URI and DNS names.
///
/// Constraints on other forms of names cannot be checked here: a critical extension that has some refuses the path.
/// > Spec: RFC 5280 §4.2.1.10; X509-SVID §4.2.
enum NameConstraintRules {
    /// Most comparisons of one name with one constraint, over a whole path.
    static let maximumComparisons = 20_000

    /// - Parameter path: Leaf first, root last.
    static func check(_ path: [Certificate]) throws(SPIFFEError) {
        var comparisons = 0
        for (position, authority) in path.enumerated().dropFirst() {
            guard let ext = authority.extensions[oid: .X509ExtensionID.nameConstraints] else { continue }
            let constraints: NameConstraints
            do {
                constraints = try NameConstraints(ext)
            } catch {
                throw SPIFFEError(.untrusted, "malformed name constraints extension")
            }
            if ext.critical { try checkSupported(constraints) }
            for certificate in path[..<position] {
                guard let names = try X509Rules.names(of: certificate) else { continue }
                comparisons += names.count * (constraints.permittedSubtrees.count + constraints.excludedSubtrees.count)
                guard comparisons <= maximumComparisons else {
                    throw SPIFFEError(.untrusted, "too many name constraints to check")
                }
                for name in names { try check(name, constraints) }
            }
        }
    }

    private static func checkSupported(_ constraints: NameConstraints) throws(SPIFFEError) {
        for constraint in constraints.permittedSubtrees + constraints.excludedSubtrees {
            switch constraint {
            case .dnsName, .uniformResourceIdentifier: continue
            default: throw SPIFFEError(.untrusted, "x509: unhandled critical extension 2.5.29.30")
            }
        }
    }

    private static func check(_ name: GeneralName, _ constraints: NameConstraints) throws(SPIFFEError) {
        for excluded in constraints.excludedSubtrees where matches(name, excluded) == true {
            throw SPIFFEError(.untrusted, "a name of the chain is excluded by a name constraint")
        }
        var isConstrained = false
        for permitted in constraints.permittedSubtrees {
            switch matches(name, permitted) {
            case .some(true): return
            case .some(false): isConstrained = true
            case .none: continue
            }
        }
        if isConstrained {
            throw SPIFFEError(.untrusted, "a name of the chain is not permitted by any name constraint")
        }
    }

    /// Whether `name` lies in the subtree; `nil` when it is of another form.
    private static func matches(_ name: GeneralName, _ constraint: GeneralName) -> Bool? {
        switch (name, constraint) {
        case (.dnsName(let name), .dnsName(let constraint)):
            dnsName(name, isIn: constraint)
        case (.uniformResourceIdentifier(let uri), .uniformResourceIdentifier(let constraint)):
            hostName(of: uri).map { host($0, isIn: constraint) } ?? false
        default:
            nil
        }
    }

    /// A URI constraint names one host, or with a leading dot the hosts below.
    private static func host(_ host: String, isIn constraint: String) -> Bool {
        let (host, constraint) = (host.lowercased(), constraint.lowercased())
        if constraint.isEmpty { return true }
        return constraint.hasPrefix(".") ? host.hasSuffix(constraint) : host == constraint
    }

    /// A DNS constraint covers the name itself and everything below.
    private static func dnsName(_ name: String, isIn constraint: String) -> Bool {
        let (name, constraint) = (name.lowercased(), constraint.lowercased())
        if constraint.isEmpty { return true }
        if constraint.hasPrefix(".") { return name.hasSuffix(constraint) }
        return name == constraint || name.hasSuffix("." + constraint)
    }

    /// The host of `scheme://user@host:port/path`.
    private static func hostName(of uri: String) -> String? {
        let bytes = uri.utf8
        guard let colon = bytes.firstIndex(of: UInt8(ascii: ":")) else { return nil }
        var rest = uri[uri.index(after: colon)...]
        guard rest.utf8.starts(with: Array("//".utf8)) else { return nil }
        rest = rest.dropFirst(2)
        var authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        if let at = authority.lastIndex(of: "@") { authority = authority[authority.index(after: at)...] }
        if let port = authority.lastIndex(of: ":") { authority = authority[..<port] }
        return authority.isEmpty ? nil : String(authority)
    }
}
