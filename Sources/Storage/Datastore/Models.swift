// SPDX-License-Identifier: Apache-2.0

// Stored state as plain values. IDs are kept as the text that is stored: rows written by others may hold text that is
// no longer a valid SPIFFE ID, and the layer that serves them decides what to do.

/// A typed statement about a node or workload, `type:value`.
package struct Selector: Sendable, Hashable, Comparable {
    package var type: String
    package var value: String

    package init(type: String, value: String) {
        self.type = type
        self.value = value
    }

    // Byte by byte: to a `String` two spellings of one letter are equal, to a file system they are two files.
    package static func == (a: Selector, b: Selector) -> Bool {
        a.value == b.value && a.type == b.type && a.value.utf8.elementsEqual(b.value.utf8)
            && a.type.utf8.elementsEqual(b.type.utf8)
    }

    package static func < (a: Selector, b: Selector) -> Bool {
        if a.type.utf8.lexicographicallyPrecedes(b.type.utf8) { return true }
        return a.type.utf8.elementsEqual(b.type.utf8) && a.value.utf8.lexicographicallyPrecedes(b.value.utf8)
    }
}

/// A registration entry: which identity processes with these selectors under this parent receive.
package struct RegistrationEntry: Sendable, Hashable {
    /// Empty on creation means "choose one".
    package var id: String = ""
    package var spiffeID: String = ""
    package var parentID: String = ""
    package var selectors: [Selector] = []
    /// Seconds; 0 means the server's default.
    package var x509SVIDTTL: Int32 = 0
    /// Seconds; 0 means the server's default.
    package var jwtSVIDTTL: Int32 = 0
    /// Trust domain IDs (`spiffe://other.test`).
    package var federatesWith: [String] = []
    package var dnsNames: [String] = []
    package var admin = false
    package var downstream = false
    package var storeSVID = false
    package var hint = ""
    /// Unix seconds; 0 means never.
    package var expiresAt: Int64 = 0
    package var revisionNumber: Int64 = 0
    /// Unix seconds.
    package var createdAt: Int64 = 0
    /// `nil` when the entry has none stored, which is not the same as all false.
    package var additionalAttributes: AdditionalAttributes?

    package init() {}

    package struct AdditionalAttributes: Sendable, Hashable {
        package var disableX509SVIDPrefetch: Bool
        package var jwtSVIDIncludeJTI: Bool

        package init(disableX509SVIDPrefetch: Bool = false, jwtSVIDIncludeJTI: Bool = false) {
            self.disableX509SVIDPrefetch = disableX509SVIDPrefetch
            self.jwtSVIDIncludeJTI = jwtSVIDIncludeJTI
        }
    }
}

/// Which fields of an entry an update touches. The id, revision number and creation time never are.
package struct EntryFields: OptionSet, Sendable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }
    package static let spiffeID = EntryFields(rawValue: 1 << 0)
    package static let parentID = EntryFields(rawValue: 1 << 1)
    package static let selectors = EntryFields(rawValue: 1 << 2)
    package static let x509SVIDTTL = EntryFields(rawValue: 1 << 3)
    package static let jwtSVIDTTL = EntryFields(rawValue: 1 << 4)
    package static let federatesWith = EntryFields(rawValue: 1 << 5)
    package static let admin = EntryFields(rawValue: 1 << 6)
    package static let downstream = EntryFields(rawValue: 1 << 7)
    package static let expiresAt = EntryFields(rawValue: 1 << 8)
    package static let dnsNames = EntryFields(rawValue: 1 << 9)
    package static let storeSVID = EntryFields(rawValue: 1 << 10)
    package static let hint = EntryFields(rawValue: 1 << 11)
    package static let additionalAttributes = EntryFields(rawValue: 1 << 12)
    package static let all = EntryFields(rawValue: (1 << 13) - 1)
}

/// An attested node (agent).
package struct AttestedNode: Sendable, Hashable {
    package var spiffeID: String
    /// The attestor's type, such as `join_token`.
    package var attestationType: String
    /// Decimal serial number of the current certificate; empty means banned.
    package var serialNumber: String
    /// Unix seconds.
    package var expiresAt: Int64
    /// Of a certificate that was handed out but not seen in use yet; empty when there is none.
    package var newSerialNumber: String
    /// Unix seconds; 0 when there is none.
    package var newExpiresAt: Int64
    package var canReattest: Bool
    package var agentVersion: String
    /// Filled only when asked for.
    package var selectors: [Selector]

    package init(
        spiffeID: String, attestationType: String, serialNumber: String, expiresAt: Int64, canReattest: Bool = false
    ) {
        self.spiffeID = spiffeID
        self.attestationType = attestationType
        self.serialNumber = serialNumber
        self.expiresAt = expiresAt
        self.newSerialNumber = ""
        self.newExpiresAt = 0
        self.canReattest = canReattest
        self.agentVersion = ""
        self.selectors = []
    }
}

/// Which fields of a node an update touches.
package struct NodeFields: OptionSet, Sendable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }
    package static let serialNumber = NodeFields(rawValue: 1 << 0)
    package static let expiresAt = NodeFields(rawValue: 1 << 1)
    package static let newSerialNumber = NodeFields(rawValue: 1 << 2)
    package static let newExpiresAt = NodeFields(rawValue: 1 << 3)
    package static let canReattest = NodeFields(rawValue: 1 << 4)
    package static let agentVersion = NodeFields(rawValue: 1 << 5)
}

/// A trust domain's authorities.
package struct TrustBundle: Sendable, Hashable {
    /// Trust domain ID, `spiffe://example.org`.
    package var trustDomainID: String
    package var x509Authorities: [X509Authority] = []
    package var jwtAuthorities: [JWTAuthority] = []
    package var witAuthorities: [JWTAuthority] = []
    /// Seconds; 0 means none.
    package var refreshHint: Int64 = 0
    package var sequenceNumber: UInt64 = 0

    package init(trustDomainID: String) { self.trustDomainID = trustDomainID }

    package struct X509Authority: Sendable, Hashable {
        /// One DER certificate.
        package var der: [UInt8]
        package var tainted: Bool
        package init(der: [UInt8], tainted: Bool = false) {
            self.der = der
            self.tainted = tainted
        }
    }

    package struct JWTAuthority: Sendable, Hashable {
        /// DER SubjectPublicKeyInfo.
        package var publicKey: [UInt8]
        package var keyID: String
        /// Unix seconds.
        package var expiresAt: Int64
        package var tainted: Bool
        package init(publicKey: [UInt8], keyID: String, expiresAt: Int64, tainted: Bool = false) {
            self.publicKey = publicKey
            self.keyID = keyID
            self.expiresAt = expiresAt
            self.tainted = tainted
        }
    }
}

/// Which fields of a bundle an update touches.
package struct BundleFields: OptionSet, Sendable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }
    package static let x509Authorities = BundleFields(rawValue: 1 << 0)
    package static let jwtAuthorities = BundleFields(rawValue: 1 << 1)
    package static let witAuthorities = BundleFields(rawValue: 1 << 2)
    package static let refreshHint = BundleFields(rawValue: 1 << 3)
    package static let sequenceNumber = BundleFields(rawValue: 1 << 4)
    package static let all = BundleFields(rawValue: (1 << 5) - 1)
}

/// What deleting a bundle does to entries that federate with it.
package enum BundleDeletion: Sendable {
    /// Refuses when there are any.
    case restrict
    /// Deletes them.
    case delete
    /// Removes the bundle from their list.
    case dissociate
}

package struct JoinToken: Sendable, Hashable {
    package var token: String
    /// Unix seconds.
    package var expiry: Int64
    package init(token: String, expiry: Int64) {
        self.token = token
        self.expiry = expiry
    }
}

/// One server's record of its authorities; the data is the authority's own business.
package struct CAJournal: Sendable, Hashable {
    /// 0 for a new one.
    package var id: Int64
    package var data: [UInt8]
    package var activeX509AuthorityID: String
    package init(id: Int64 = 0, data: [UInt8], activeX509AuthorityID: String) {
        self.id = id
        self.data = data
        self.activeX509AuthorityID = activeX509AuthorityID
    }
}

/// Where and how a foreign trust domain's bundle is fetched.
package struct FederationRelationship: Sendable, Hashable {
    /// Bare name.
    package var trustDomain: String
    package var bundleEndpointURL: String
    package var profile: Profile
    /// The stored bundle of the trust domain, if there is one.
    package var bundle: TrustBundle?

    package enum Profile: Sendable, Hashable {
        case httpsWeb
        case httpsSPIFFE(endpointID: String)
    }

    package init(trustDomain: String, bundleEndpointURL: String, profile: Profile, bundle: TrustBundle? = nil) {
        self.trustDomain = trustDomain
        self.bundleEndpointURL = bundleEndpointURL
        self.profile = profile
        self.bundle = bundle
    }
}
