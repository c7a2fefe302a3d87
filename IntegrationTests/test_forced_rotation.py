# SPDX-License-Identifier: Apache-2.0
"""An operator replaces the authorities of a running server: agents and workloads follow, nothing has to be restarted."""
import base64
import json
import os
import re
import subprocess

from programs import wait_for


def authority(server, kind):
    return json.loads(server("localauthority", kind, "show", "-output", "json").stdout)


def rotate(server, kind):
    """Prepares a new authority and signs with it. - Returns: the old one's id and the new one's."""
    old = authority(server, kind)["active"]["authority_id"]
    prepared = json.loads(server("localauthority", kind, "prepare", "-output", "json").stdout)
    new = prepared["prepared_authority"]["authority_id"]
    server("localauthority", kind, "activate", "-authorityID", new)
    states = authority(server, kind)
    assert (states["active"]["authority_id"], states["old"]["authority_id"]) == (new, old)
    return old, new


def signer(agent, folder):
    """Hex key id of the authority that signed the workload's certificate."""
    agent("api", "fetch", "x509", "-write", folder)
    text = subprocess.run(
        ["openssl", "x509", "-in", folder / "svid.0.pem", "-noout", "-ext", "authorityKeyIdentifier"],
        check=True, capture_output=True, text=True).stdout
    return re.sub(r"[^0-9a-f]", "", text.split("\n")[1].lower().replace("keyid", ""))


def test_a_tainted_authority_is_left_by_everybody(make_server, make_agent, tmp_path):
    server = make_server().start()
    agent = make_agent(server).start(server.token("spiffe://example.org/node"))
    server("entry", "create", "-parentID", "spiffe://example.org/node", "-spiffeID", "spiffe://example.org/web",
           "-selector", f"unix:uid:{os.getuid()}")
    agent.wait_identity("spiffe://example.org/web")
    first = authority(server, "x509")["active"]["authority_id"]
    assert signer(agent, tmp_path) == first

    old, new = rotate(server, "x509")
    assert old == first
    # Not tainted yet: it may not be revoked, and the one in use may not be tainted.
    refused = server("localauthority", "x509", "revoke", "-authorityID", old, check=False)
    assert refused.returncode == 1 and "it is not possible to revoke an untainted root CA" in refused.stderr
    refused = server("localauthority", "x509", "taint", "-authorityID", new, check=False)
    assert refused.returncode == 1 and "unable to taint current local authority" in refused.stderr

    tainted = server("localauthority", "x509", "taint", "-authorityID", old).stdout
    assert tainted.startswith(f"Tainted X.509 authority:\n  Authority ID: {old}\n")
    wait_for(lambda: signer(agent, tmp_path) == new, "a workload certificate of the new authority", timeout=60)
    wait_for(lambda: "Server SVID hangs from a tainted authority" in server.log(), "the server's own certificate")

    server("localauthority", "x509", "revoke", "-authorityID", old)
    shown = json.loads(server("bundle", "show", "-output", "json").stdout)
    assert len(shown["x509_authorities"]) == 1
    # The agent goes on: a new entry reaches it, signed by the new authority and trusted by the new root alone.
    server("entry", "create", "-parentID", "spiffe://example.org/node", "-spiffeID", "spiffe://example.org/late",
           "-selector", f"unix:uid:{os.getuid()}")
    agent.wait_identity("spiffe://example.org/late")
    assert agent.alive() and server.alive()


def test_a_tainted_token_key_signs_no_more(make_server):
    server = make_server().start()

    def key_id():
        token = server("jwt", "mint", "-spiffeID", "spiffe://example.org/x", "-audience", "a").stdout
        header = token.split(".")[0]
        return json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))["kid"]

    before = key_id()
    old, new = rotate(server, "jwt")
    assert (before, key_id()) == (old, new)
    server("localauthority", "jwt", "taint", "-authorityID", old)
    server("localauthority", "jwt", "revoke", "-authorityID", old)
    shown = json.loads(server("bundle", "show", "-output", "json").stdout)
    assert [key["key_id"] for key in shown["jwt_authorities"]] == [new]


def test_what_was_rotated_outlives_a_restart(make_server):
    server = make_server().start()
    old, new = rotate(server, "x509")
    server("localauthority", "x509", "taint", "-authorityID", old)
    server.stop()
    server.start()
    states = authority(server, "x509")
    assert states["active"]["authority_id"] == new
    server("localauthority", "x509", "revoke", "-authorityID", old)
