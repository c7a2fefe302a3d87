// SPDX-License-Identifier: Apache-2.0

import HCL
import SPIFFE

extension ServerConfigReader {
    func federation(_ block: HCLBlock) -> ServerConfig.Federation {
        var federation = ServerConfig.Federation()
        federation.bundleEndpoint = block.block("bundle_endpoint").map(bundleEndpoint)
        for peer in block.labelled("federates_with") ?? [] {
            if let relationship = relationship(peer) { federation.federatesWith.append(relationship) }
        }
        block.finish(section: "federation", isTolerant: true)
        return federation
    }

    private func bundleEndpoint(_ block: HCLBlock) -> ServerConfig.BundleEndpoint {
        var endpoint = ServerConfig.BundleEndpoint()
        endpoint.address = block.string("address")?.value ?? ""
        endpoint.port = block.int("port")?.value ?? 0
        if !(0...65535).contains(endpoint.port) {
            report(
                block.fullName("port"), "\(block.fullName("port")) must be a port, 0 to 65535",
                at: block.place(of: "port"))
        }
        endpoint.refreshHint = refreshHint(block)
        let deprecated = block.block("acme").map { acme($0, isRequired: true) }
        let profiles = block.labelled("profile")
        if let deprecated, profiles == nil { endpoint.profile = .httpsWebACME(deprecated) }
        if deprecated != nil, profiles != nil {
            report(
                block.fullName("profile"), "either bundle endpoint 'acme' or 'profile' can be set, but not both",
                at: block.place(of: "profile"))
        }
        if let profiles {
            if profiles.count == 1, let only = profiles.first {
                endpoint.profile = servingProfile(only) ?? endpoint.profile
            } else {
                report(
                    block.fullName("profile"), "exactly one bundle endpoint profile is expected",
                    at: block.place(of: "profile"))
            }
        } else if deprecated == nil {
            diagnostics.notice(
                .warning, "The bundle endpoint has no profile; https_spiffe is assumed. Please set it explicitly",
                fields: ["alert": "true", "alert_type": "deprecated_config"])
        }
        block.finish(section: "bundle endpoint")
        return endpoint
    }

    private func refreshHint(_ block: HCLBlock) -> Duration {
        guard let setting = block.string("refresh_hint"), !setting.value.isEmpty else { return .seconds(300) }
        switch DurationText.parse(setting.value) {
        case .success(let hint):
            if hint >= .seconds(86400) {
                diagnostics.notice(
                    .warning, "Bundle endpoint refresh hint set to a high value; this is not recommended")
            } else if hint < .seconds(60) {
                diagnostics.notice(
                    .warning,
                    "Bundle endpoint refresh hint set too low. SPIRE will not refresh more often than 1 minute")
            }
            return hint
        case .failure(let failure):
            report(setting.key, "could not parse refresh_hint \"\(setting.value)\": \(failure)", at: setting.position)
            return .seconds(300)
        }
    }

    private func acme(_ block: HCLBlock, isRequired: Bool) -> ServerConfig.ACME {
        var acme = ServerConfig.ACME()
        acme.directoryURL = block.string("directory_url")?.value ?? ""
        acme.domainName = block.string("domain_name")?.value ?? ""
        acme.email = block.string("email")?.value ?? ""
        acme.acceptsTermsOfService = block.bool("tos_accepted")?.value ?? false
        block.finish(section: "bundle endpoint ACME", isTolerant: !isRequired)
        diagnostics.report(
            .notImplemented, key: block.path,
            "ACME is not implemented in this release; use serving_cert_file, or the https_spiffe profile",
            at: block.position)
        guard isRequired else { return acme }
        for (key, value) in [("domain_name", acme.domainName), ("email", acme.email)] where value.isEmpty {
            report(
                block.fullName(key), "federation.bundle_endpoint.acme.\(key) must be configured", at: block.position)
        }
        return acme
    }

    private func servingProfile(_ profile: HCLLabelledBlock) -> ServerConfig.ServingProfile? {
        let block = profile.block
        switch profile.label.text {
        case "https_spiffe": return .httpsSPIFFE
        case "https_web":
            if let acme = block.block("acme") { return .httpsWebACME(self.acme(acme, isRequired: false)) }
            guard let file = block.block("serving_cert_file") else {
                report(
                    block.path, "malformed https_web profile configuration: 'acme' or 'serving_cert_file' is required",
                    at: block.position)
                return nil
            }
            var interval: Duration = .seconds(3600)
            if let setting = file.string("file_sync_interval"), !setting.value.isEmpty {
                switch DurationText.parse(setting.value) {
                case .success(let value): interval = value == .zero ? interval : value
                case .failure(let failure): report(setting.key, "\(failure)", at: setting.position)
                }
            }
            return .httpsWebFile(
                certificatePath: file.string("cert_file_path")?.value ?? "",
                keyPath: file.string("key_file_path")?.value ?? "", syncInterval: interval)
        default:
            report(
                block.path,
                """
                unknown bundle endpoint profile configured; current supported profiles are "https_spiffe" and \
                'https_web"
                """,
                at: profile.label.position)
            return nil
        }
    }

    private func relationship(_ peer: HCLLabelledBlock) -> ServerConfig.Relationship? {
        let name = peer.label.text
        let block = peer.block
        let prefix = "federation.federates_with[\"\(name)\"].bundle_endpoint_url"
        let context = "error parsing federation relationship for trust domain \"\(name)\": "
        let url = block.string("bundle_endpoint_url")?.value ?? ""
        let profiles = block.labelled("bundle_endpoint_profile")
        block.finish(section: "federates_with", isTolerant: true)
        if url.isEmpty {
            report(block.path, "\(prefix) must be configured", at: peer.label.position)
        } else if !url.lowercased().hasPrefix("https://") {
            report(
                block.path, "\(prefix) must use the HTTPS protocol; URL found: \"\(url)\"",
                at: block.place(of: "bundle_endpoint_url"))
        }
        guard let profiles else {
            report(
                block.path,
                "federation configuration for trust domain \"\(name)\": missing bundle endpoint configuration",
                at: peer.label.position)
            return nil
        }
        guard profiles.count == 1, let only = profiles.first else {
            report(block.path, context + "exactly one bundle endpoint profile is expected", at: peer.label.position)
            return nil
        }
        do {
            let trustDomain = try TrustDomain(name)
            switch only.label.text {
            case "https_web":
                return ServerConfig.Relationship(trustDomain: trustDomain, bundleEndpointURL: url, profile: .httpsWeb)
            case "https_spiffe":
                let id = try SPIFFEID(only.block.string("endpoint_spiffe_id")?.value ?? "")
                return ServerConfig.Relationship(
                    trustDomain: trustDomain, bundleEndpointURL: url, profile: .httpsSPIFFE(endpointID: id))
            default:
                report(
                    only.block.path,
                    """
                    \(context)no bundle endpoint profile defined; current supported profiles are "https_spiffe" and \
                    "https_web"
                    """,
                    at: only.label.position)
            }
        } catch {
            let what = only.label.text == "https_spiffe" ? "could not get endpoint SPIFFE ID: " : ""
            report(only.block.path, "\(context)\(what)\(error)", at: only.label.position)
        }
        return nil
    }
}
