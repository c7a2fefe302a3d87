// SPDX-License-Identifier: Apache-2.0

import APIProtos
import CLISupport
import SPIFFE

/// The files `-data` and `-file` name, read as Go's JSON decoder reads them.
enum EntryFile {
    /// All entries of the file, or none: one that cannot be converted ends it.
    static func entries(_ path: String) throws -> [Spire_Api_Types_Entry] {
        try entries(InputFile.read(path), path)
    }

    static func entries(_ bytes: [UInt8], _ path: String) throws -> [Spire_Api_Types_Entry] {
        try root(bytes, path).list("entries").enumerated().map { number, item in
            do {
                return try convert(LooseObject(item, "it"))
            } catch {
                throw CommandFailure("entry \(number + 1) of \(path): \(error)")
            }
        }
    }

    static func ids(_ path: String) throws -> [String] { try root(InputFile.read(path), path).strings("ids") }

    private static func root(_ bytes: [UInt8], _ path: String) throws -> LooseObject {
        do {
            return try LooseObject(JSONValue.parse(bytes, maximumLength: InputFile.limit), "the file")
        } catch {
            throw CommandFailure("unable to read \(path): \(error)")
        }
    }

    private static func id(_ key: String, _ fields: LooseObject) throws -> Spire_Api_Types_SPIFFEID {
        let text = try fields.string(key)
        do {
            return try Spire_Api_Types_SPIFFEID(parsing: text)
        } catch {
            throw CommandFailure("\(key) \(GoText.quoted(text)): \(error.message)")
        }
    }

    private static func convert(_ fields: LooseObject) throws -> Spire_Api_Types_Entry {
        var entry = Spire_Api_Types_Entry()
        entry.id = try fields.string("entry_id")
        entry.spiffeID = try id("spiffe_id", fields)
        entry.parentID = try id("parent_id", fields)
        entry.selectors = try fields.list("selectors").map { value in
            let pair = try LooseObject(value, "a selector")
            var selector = Spire_Api_Types_Selector()
            selector.type = try pair.string("type")
            selector.value = try pair.string("value")
            return selector
        }
        entry.x509SvidTtl = try fields.number("x509_svid_ttl")
        entry.jwtSvidTtl = try fields.number("jwt_svid_ttl")
        entry.federatesWith = try fields.strings("federates_with")
        entry.admin = try fields.bool("admin")
        entry.downstream = try fields.bool("downstream")
        entry.storeSvid = try fields.bool("store_svid")
        entry.expiresAt = try fields.number("entryExpiry")
        entry.dnsNames = try fields.strings("dns_names")
        entry.revisionNumber = try fields.number("revision_number")
        entry.createdAt = try fields.number("created_at")
        entry.hint = try fields.string("hint")
        if let value = fields["additional_attributes"] {
            let more = try LooseObject(value, "additional_attributes")
            entry.additionalAttributes.disableX509SvidPrefetch = try more.bool("disable_x509_svid_prefetch")
            entry.additionalAttributes.jwtSvidIncludeJti = try more.bool("jwt_svid_include_jti")
        }
        return entry
    }
}
