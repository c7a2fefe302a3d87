// SPDX-License-Identifier: Apache-2.0

import CMySQL
import SQLDatastore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Makes connections of the client library.
struct MySQLConnecting {
    private let library: LibMariaDB
    private let location: MySQLLocation
    private let files: MySQLTLSFiles

    private let isPatient: Bool

    /// - Parameter isPatient: Lets statements take an hour.
    init(_ library: LibMariaDB, _ location: MySQLLocation, _ files: MySQLTLSFiles, isPatient: Bool) {
        self.isPatient = isPatient
        self.library = library
        self.location = location
        self.files = files
    }

    /// - Parameter place: `nil` for the location's socket.
    func connect(to place: MySQLLocation.Host?) throws -> OpaquePointer {
        guard let handle = library.call.mysql_init(nil) else { throw SQLFailure(.unusable, "out of memory") }
        do {
            try setOptions(handle)
            let socket = place == nil ? location.socket : nil
            let connected = library.call.mysql_real_connect(
                handle, place?.name, location.user, location.password, location.database, place?.port ?? 0, socket,
                UInt(SPIRE_MYSQL_CLIENT_FOUND_ROWS))
            guard connected != nil else { throw MySQLFailure.connecting(handle, library) }
            return handle
        } catch {
            library.call.mysql_close(handle)
            throw error
        }
    }

    private func setOptions(_ handle: OpaquePointer) throws {
        func set(_ option: Int, _ text: String) throws {
            if library.call.mysql_options(handle, Int32(option), text) != 0 {
                throw SQLFailure(.unusable, "the client library refuses an option")
            }
        }
        func set(_ option: Int, number: UInt32) { withUnsafePointer(to: number) { _ = library.call.mysql_options(handle, Int32(option), $0) } }
        func set(_ option: Int, flag: Bool) {
            let value: CChar = flag ? 1 : 0
            withUnsafePointer(to: value) { _ = library.call.mysql_options(handle, Int32(option), $0) }
        }
        try set(SPIRE_MYSQL_SET_CHARSET_NAME, location.charset)
        set(SPIRE_MYSQL_OPT_CONNECT_TIMEOUT, number: location.connectTimeout == 0 ? 5 : location.connectTimeout)
        // A server that is gone without a word is noticed; statements of ours end before, migrations need not.
        let patience: UInt32 = isPatient ? 3600 : 15
        set(SPIRE_MYSQL_OPT_READ_TIMEOUT, number: location.readTimeout == 0 ? patience : location.readTimeout)
        set(SPIRE_MYSQL_OPT_WRITE_TIMEOUT, number: location.writeTimeout == 0 ? 15 : location.writeTimeout)
        set(SPIRE_MYSQL_OPT_LOCAL_INFILE, number: 0)
        if location.allowsCleartextPasswords { set(SPIRE_MYSQL_ENABLE_CLEARTEXT_PLUGIN, flag: true) }
        switch location.tls {
        case .off: break
        case .preferred:
            set(SPIRE_MYSQL_OPT_SSL_VERIFY_SERVER_CERT, flag: false)
        case .unverified:
            set(SPIRE_MYSQL_OPT_SSL_ENFORCE, flag: true)
            set(SPIRE_MYSQL_OPT_SSL_VERIFY_SERVER_CERT, flag: false)
        case .verified:
            set(SPIRE_MYSQL_OPT_SSL_ENFORCE, flag: true)
            set(SPIRE_MYSQL_OPT_SSL_VERIFY_SERVER_CERT, flag: true)
            if !files.rootCA.isEmpty { try set(SPIRE_MYSQL_OPT_SSL_CA, files.rootCA) }
            else if let system = Self.systemRoots { try set(SPIRE_MYSQL_OPT_SSL_CA, system) }
            if !files.clientCertificate.isEmpty {
                try set(SPIRE_MYSQL_OPT_SSL_CERT, files.clientCertificate)
                try set(SPIRE_MYSQL_OPT_SSL_KEY, files.clientKey)
            }
        }
    }

    /// The system's trusted roots, where they are kept in one file.
    private static let systemRoots: String? = [
        "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem",
    ].first { access($0, R_OK) == 0 }
}
