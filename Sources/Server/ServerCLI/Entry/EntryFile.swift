// SPDX-License-Identifier: Apache-2.0

import APIProtos
import CLISupport
import FoundationEssentials

/// The files `-data` and `-file` name.
enum EntryFile {
    /// `{"entries": […]}`: unknown keys are ignored, as the original does.
    private struct Entries: Decodable {
        var entries: [Item]?

        struct Item: Decodable {
            var selectors: [Pair]?
            var parent_id: String?
            var spiffe_id: String?
            var x509_svid_ttl: Int32?
            var jwt_svid_ttl: Int32?
            var federates_with: [String]?
            var entry_id: String?
            var admin: Bool?
            var downstream: Bool?
            var store_svid: Bool?
            var entryExpiry: Int64?
            var dns_names: [String]?
            var hint: String?
            var additional_attributes: Attributes?
        }

        struct Pair: Decodable {
            var type: String?
            var value: String?
        }

        struct Attributes: Decodable {
            var disable_x509_svid_prefetch: Bool?
            var jwt_svid_include_jti: Bool?
        }
    }

    private struct IDs: Decodable {
        var ids: [String]?
    }

    /// All entries of the file, or none: one that cannot be converted ends it.
    static func entries(_ path: String) throws -> [Spire_Api_Types_Entry] {
        let bytes = try InputFile.read(path)
        let file = try decode(Entries.self, bytes, path)
        return try (file.entries ?? []).enumerated().map { number, item in
            do {
                return try convert(item)
            } catch {
                throw CommandFailure("entry \(number + 1) of \(path): \(error)")
            }
        }
    }

    static func ids(_ path: String) throws -> [String] {
        try decode(IDs.self, InputFile.read(path), path).ids ?? []
    }

    private static func decode<Value: Decodable>(_ type: Value.Type, _ bytes: [UInt8], _ path: String) throws -> Value {
        do {
            return try JSONDecoder().decode(type, from: Data(bytes))
        } catch let DecodingError.typeMismatch(_, context) {
            throw CommandFailure("unable to read \(path): \(place(context)): \(context.debugDescription)")
        } catch let DecodingError.dataCorrupted(context) {
            throw CommandFailure("unable to read \(path): \(context.debugDescription)")
        } catch {
            throw CommandFailure("unable to read \(path): \(error)")
        }
    }

    private static func place(_ context: DecodingError.Context) -> String {
        context.codingPath.map { $0.intValue.map { "[\($0)]" } ?? $0.stringValue }.joined(separator: ".")
    }

    private static func convert(_ item: Entries.Item) throws -> Spire_Api_Types_Entry {
        var entry = Spire_Api_Types_Entry()
        entry.id = item.entry_id ?? ""
        entry.spiffeID = try Spire_Api_Types_SPIFFEID(parsing: item.spiffe_id ?? "")
        entry.parentID = try Spire_Api_Types_SPIFFEID(parsing: item.parent_id ?? "")
        entry.selectors = (item.selectors ?? []).map { pair in
            var selector = Spire_Api_Types_Selector()
            selector.type = pair.type ?? ""
            selector.value = pair.value ?? ""
            return selector
        }
        entry.x509SvidTtl = item.x509_svid_ttl ?? 0
        entry.jwtSvidTtl = item.jwt_svid_ttl ?? 0
        entry.federatesWith = item.federates_with ?? []
        entry.admin = item.admin ?? false
        entry.downstream = item.downstream ?? false
        entry.storeSvid = item.store_svid ?? false
        entry.expiresAt = item.entryExpiry ?? 0
        entry.dnsNames = item.dns_names ?? []
        entry.hint = item.hint ?? ""
        if let attributes = item.additional_attributes {
            entry.additionalAttributes.disableX509SvidPrefetch = attributes.disable_x509_svid_prefetch ?? false
            entry.additionalAttributes.jwtSvidIncludeJti = attributes.jwt_svid_include_jti ?? false
        }
        return entry
    }
}
