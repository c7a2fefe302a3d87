# SPDX-License-Identifier: Apache-2.0
"""A process that knows no secret receives a verifiable identity."""
import json
import re
import subprocess

import jwt
from programs import PROGRAMS, openssl


def test_getting_started_session(make_server, make_agent, tmp_path):
    server = make_server().start()
    assert server("healthcheck").stdout == "Server is healthy.\n"
    token = server("token", "generate", "-spiffeID", "spiffe://example.org/myagent").stdout
    assert re.fullmatch(r"Token: [0-9a-f-]{36}\n", token)

    agent = make_agent(server).start(token.split()[1])
    assert agent("healthcheck").stdout == "Agent is healthy.\n"

    created = server(
        "entry", "create", "-parentID", "spiffe://example.org/myagent", "-spiffeID", "spiffe://example.org/myservice",
        "-selector", f"unix:uid:{__import__('os').getuid()}").stdout
    assert "SPIFFE ID               : spiffe://example.org/myservice\n" in created
    agent.wait_identity("spiffe://example.org/myservice")

    out = tmp_path / "out"
    out.mkdir()
    fetched = agent("api", "fetch", "x509", "-write", out).stdout
    assert "SPIFFE ID:\t\tspiffe://example.org/myservice\n" in fetched
    assert f"Writing SVID #0 to file {out}/svid.0.pem.\n" in fetched
    assert (out / "svid.0.key").stat().st_mode & 0o777 == 0o600
    verified = openssl("verify", "-CAfile", out / "bundle.0.pem", out / "svid.0.pem")
    assert verified.returncode == 0, verified.stderr
    text = openssl("x509", "-in", out / "svid.0.pem", "-noout", "-text").stdout
    assert "URI:spiffe://example.org/myservice" in text
    assert "Signature Algorithm: ecdsa-with-SHA256" in text
    # The key belongs to the certificate.
    assert openssl("pkey", "-in", out / "svid.0.key", "-pubout").stdout == openssl(
        "x509", "-in", out / "svid.0.pem", "-noout", "-pubkey").stdout


def test_a_foreign_library_validates_the_jwt_svid_against_the_published_keys(lab):
    lab.server.entry("spiffe://example.org/jwt-user")
    lab.agent.wait_identity("spiffe://example.org/jwt-user")
    replies = json.loads(lab.agent(
        "api", "fetch", "jwt", "-audience", "shop,bank", "-spiffeID", "spiffe://example.org/jwt-user", "-output", "json").stdout)
    token = replies[0]["svids"][0]["svid"]
    published = json.loads(lab.server("bundle", "show", "-format", "spiffe").stdout)
    keys = {key["kid"]: key for key in published["keys"] if key["use"] == "jwt-svid"}
    key = jwt.PyJWK(keys[jwt.get_unverified_header(token)["kid"]])
    claims = jwt.decode(token, key.key, algorithms=["ES256"], audience="shop")
    assert claims["sub"] == "spiffe://example.org/jwt-user"
    assert claims["aud"] == ["shop", "bank"]
    assert claims["exp"] - claims["iat"] == 300


def test_development_mode_ends_with_a_verified_identity(tmp_path):
    run = subprocess.run(
        [PROGRAMS / "spire-server", "dev", "-once"], capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "not for production" in (run.stdout + run.stderr).lower()
    assert re.search(r"SPIFFE_ENDPOINT_SOCKET=unix:///", run.stdout)
    blocks = re.findall(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", run.stdout, re.S)
    assert len(blocks) >= 2, run.stdout
    (tmp_path / "leaf.pem").write_text(blocks[0])
    (tmp_path / "roots.pem").write_text("".join(blocks[1:]))
    verified = openssl("verify", "-CAfile", tmp_path / "roots.pem", tmp_path / "leaf.pem")
    assert verified.returncode == 0, verified.stderr
    token = re.search(r"\beyJ[\w-]+\.eyJ[\w-]+\.[\w-]+", run.stdout).group(0)
    assert jwt.get_unverified_header(token)["alg"] == "ES256"
    # It cleans up after itself.
    folder = re.search(r"SPIFFE_ENDPOINT_SOCKET=unix://(/\S+)/[^/\s]+", run.stdout).group(1)
    assert not __import__("os").path.exists(folder)
