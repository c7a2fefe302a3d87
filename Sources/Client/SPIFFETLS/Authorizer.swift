// SPDX-License-Identifier: Apache-2.0

public import SPIFFE

/// Decides whether a verified peer is one to talk to.
///
/// Verification says who the peer is; an authorizer says whether that is good enough. There is no default on purpose.
public struct Authorizer: Sendable {
    private let check: @Sendable (VerifiedX509SVID) throws -> Void

    /// Decides by a function, which throws to refuse. It runs on the connection's event loop and must not block.
    public init(_ check: @escaping @Sendable (VerifiedX509SVID) throws -> Void) {
        self.check = check
    }

    /// Everyone whose SVID could be verified.
    public static let any = Authorizer { _ in }

    /// Exactly one identity.
    public static func id(_ id: SPIFFEID) -> Authorizer { oneOf([id]) }

    /// Any of a set of identities.
    public static func oneOf(_ ids: Set<SPIFFEID>) -> Authorizer {
        Authorizer { peer in
            guard ids.contains(peer.id) else {
                throw SPIFFEError(.unauthorizedPeer, "unexpected ID \"\(peer.id)\"")
            }
        }
    }

    /// Every identity of a trust domain.
    public static func memberOf(_ trustDomain: TrustDomain) -> Authorizer {
        Authorizer { peer in
            guard peer.id.isMember(of: trustDomain) else {
                throw SPIFFEError(.unauthorizedPeer, "unexpected trust domain \"\(peer.id.trustDomain)\"")
            }
        }
    }

    /// - Throws: `unauthorized_peer`, or what a custom function throws.
    public func authorize(_ peer: VerifiedX509SVID) throws { try check(peer) }
}
