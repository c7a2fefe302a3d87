// SPDX-License-Identifier: Apache-2.0

/// What went wrong in the SPIFFE library: a stable code to test for and a message for a human.
public struct SPIFFEError: Error, Sendable, Hashable, CustomStringConvertible {
    /// A stable name of a failure.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        public let description: String
        init(_ name: String) { description = name }

        /// A SPIFFE ID or trust domain name breaks the grammar of the standard.
        public static let invalidID = Code("invalid_id")
        /// An X.509-SVID is malformed or breaks a rule of the standard.
        public static let invalidX509SVID = Code("invalid_x509_svid")
        /// A chain does not lead to an authority of the trust domain's bundle, or is not valid at the given time.
        public static let untrusted = Code("untrusted")
        /// A JWT-SVID is malformed, expired, for another audience or not signed by a known key.
        public static let invalidJWTSVID = Code("invalid_jwt_svid")
        /// A bundle document is malformed.
        public static let invalidBundle = Code("invalid_bundle")
        /// A JSON text is malformed, too large or too deep.
        public static let invalidJSON = Code("invalid_json")
        /// No bundle for the trust domain.
        public static let bundleNotFound = Code("bundle_not_found")
        /// A private key is malformed or does not belong to the certificate.
        public static let invalidKey = Code("invalid_key")
        /// The Workload API answered with an error or could not be reached.
        public static let workloadAPI = Code("workload_api")
        /// A source has been closed.
        public static let closed = Code("closed")
        /// An address of a Workload API endpoint is malformed.
        public static let invalidEndpoint = Code("invalid_endpoint")
        /// The peer's identity was verified but is not one that is allowed.
        public static let unauthorizedPeer = Code("unauthorized_peer")
    }

    public let code: Code
    public let message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { message }

    public static func == (a: SPIFFEError, b: SPIFFEError) -> Bool { a.code == b.code }
    public func hash(into hasher: inout Hasher) { hasher.combine(code) }
}
