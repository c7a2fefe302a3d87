# SPDX-License-Identifier: Apache-2.0
"""An authority that is no longer to be trusted is replaced everywhere: server, agent and workloads, without a gap."""
import base64
import json
import re

import jwt
import pytest
from programs import SYNC_EVERY_SECOND, openssl, wait_for


@pytest.fixture
def world(make_server, make_agent):
    server = make_server().start()
    agent = make_agent(server, settings=SYNC_EVERY_SECOND).start(server.token("spiffe://example.org/node"))
    server.entry("spiffe://example.org/w")
    agent.wait_identity("spiffe://example.org/w")
    return server, agent


def authority_id(server, kind, slot="Active"):
    shown = server("localauthority", kind, "show").stdout
    return re.search(rf"{slot} .*authority:\n  Authority ID: (\S+)", shown).group(1)


def issuer(pem):
    """Hex of the key that signed a certificate."""
    text = openssl("x509", "-noout", "-ext", "authorityKeyIdentifier", input=pem).stdout
    return re.search(r"((?:[0-9A-F]{2}:){19}[0-9A-F]{2})", text).group(1).replace(":", "").lower()


def shown_by(server):
    shown = openssl("s_client", "-connect", f"127.0.0.1:{server.port}", "-alpn", "h2", input="").stdout
    return shown[shown.index("-----BEGIN"):] if "-----BEGIN" in shown else ""


def replace_authority(server, kind):
    old = authority_id(server, kind)
    server("localauthority", kind, "prepare")
    new = authority_id(server, kind, "Prepared")
    server("localauthority", kind, "activate", "-authorityID", new)
    assert authority_id(server, kind) == new and authority_id(server, kind, "Old") == old
    return old, new


def test_everything_moves_off_a_tainted_x509_authority(world, tmp_path):
    server, agent = world
    old, new = replace_authority(server, "x509")
    # Until it is tainted, what the old one signed goes on.
    assert issuer(shown_by(server)) == old
    server("localauthority", "x509", "taint", "-authorityID", old)
    wait_for(lambda: issuer(shown_by(server)) == new, "the server's own certificate to be replaced")

    def workload():
        agent("api", "fetch", "x509", "-silent", "-write", tmp_path)
        verified = openssl("verify", "-CAfile", tmp_path / "bundle.0.pem", tmp_path / "svid.0.pem")
        assert verified.returncode == 0, verified.stderr
        return issuer((tmp_path / "svid.0.pem").read_text()) == new
    wait_for(workload, "the workload's certificate to be replaced", 30)

    def own():
        stored = json.loads((agent.folder / "data" / "agent-data.json").read_text())
        return issuer(base64.b64decode(stored["svid"][0]).decode()) == new
    wait_for(own, "the agent's certificate to be replaced", 30)
    server("localauthority", "x509", "revoke", "-authorityID", old)
    assert server("bundle", "show").stdout.count("BEGIN CERTIFICATE") == 1
    # Both go on after the old authority is gone.
    server.entry("spiffe://example.org/after")
    agent.wait_identity("spiffe://example.org/after")
    wait_for(lambda: agent("api", "fetch", "x509").stdout.count("CA #2") == 0, "workloads to see the bundle without it")
    assert agent.alive()


def test_tokens_move_off_a_tainted_jwt_authority(world):
    server, agent = world

    def key_id():
        fetched = json.loads(agent("api", "fetch", "jwt", "-audience", "a", "-output", "json").stdout)
        return jwt.get_unverified_header(fetched[0]["svids"][0]["svid"])["kid"]
    first = key_id()
    old, new = replace_authority(server, "jwt")
    assert first == old == key_id()
    server("localauthority", "jwt", "taint", "-authorityID", old)
    wait_for(lambda: key_id() == new, "a token of the new key", 30)
    server("localauthority", "jwt", "revoke", "-authorityID", old)
    wait_for(lambda: old not in agent("api", "fetch", "jwt", "-audience", "a").stdout, "the key to leave the bundle", 30)
