// SPDX-License-Identifier: Apache-2.0

import HCL

extension ServerConfig {
    /// Every kind of plugin with its built-in names. Move a name to `implemented` when it is built.
    static let pluginKinds: [PluginKind] = [
        PluginKind("DataStore", implemented: ["sql"], pending: [], count: 0...Int.max),
        PluginKind(
            "KeyManager", implemented: ["disk", "memory"],
            pending: ["aws_kms", "gcp_kms", "azure_key_vault", "hashicorp_vault"], count: 1...1),
        PluginKind(
            "NodeAttestor", implemented: ["join_token"],
            pending: [
                "aws_iid", "azure_msi", "azure_imds", "gcp_iit", "http_challenge", "k8s_psat", "sshpop", "tpm_devid",
                "x509pop",
            ], count: 0...Int.max),
        PluginKind(
            "UpstreamAuthority", implemented: [],
            pending: ["disk", "aws_pca", "awssecret", "gcp_cas", "vault", "spire", "cert-manager", "ejbca"],
            count: 0...1),
        PluginKind("Notifier", implemented: [], pending: ["k8sbundle", "gcs_bundle"], count: 0...Int.max),
        PluginKind(
            "BundlePublisher", implemented: [],
            pending: ["aws_s3", "azure_blob", "gcp_cloudstorage", "aws_rolesanywhere_trustanchor", "k8s_configmap"],
            count: 0...Int.max),
        PluginKind("CredentialComposer", implemented: [], pending: ["uniqueid"], count: 0...Int.max),
    ]
}
