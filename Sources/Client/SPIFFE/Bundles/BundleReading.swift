// SPDX-License-Identifier: Apache-2.0

/// How forgiving a reader of bundle documents is.
public enum BundleReading: Sendable, Hashable {
    /// As the standard tells consumers: entries of unknown use or key type, X.509 entries without a certificate and
    /// JWT entries without key ID are passed over; of several certificates in an entry the first counts.
    case tolerant
    /// As SPIRE's own decoder: such entries make the whole document invalid.
    case strict
}
