# SPDX-License-Identifier: Apache-2.0
"""WIT-SVIDs of the real server, read and verified by two foreign libraries, and proved possession of."""
import base64
import json
import os
import stat
import subprocess
import time

import jwt
import pytest
from joserfc import jws
from joserfc.jwk import import_key

FLAG = {"SPIRE_SERVER_FFLAGS": "wit-svid"}
PAIRS = [("ec-p256", "ES256"), ("ec-p384", "ES384"), ("rsa-2048", "RS256"), ("rsa-2048", "PS384"), ("rsa-4096", "RS512")]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    from programs import Server
    server = Server(
        tmp_path_factory.mktemp("wit") / "server",
        settings='experimental { feature_flags = ["wit-svid"] wit_key_type = "ec-p384" wit_issuer = "https://wit.example" }')
    yield server.start()
    server.stop()


def minted(server, *more, id="spiffe://example.org/web", **options):
    return server("wit", "mint", "-spiffeID", id, *more, env=FLAG, **options)


def published(server):
    """The server's WIT key as its bundle tells it: key ID and PEM."""
    [key] = json.loads(server("bundle", "show", "-output", "json").stdout)["wit_authorities"]
    pem = subprocess.run(
        ["openssl", "pkey", "-pubin", "-inform", "DER"], input=base64.b64decode(key["public_key"]), capture_output=True,
        check=True).stdout.decode()
    return key["key_id"], pem


def verified(server, token):
    """Header and claims, once both libraries accept the signature of the server's published key."""
    key_id, pem = published(server)
    header = jwt.get_unverified_header(token)
    assert header == {"alg": "ES384", "kid": key_id, "typ": "wit+jwt"}
    claims = jwt.decode(token, pem, algorithms=["ES384"], options={"require": ["exp", "iat", "sub"]})
    other = jws.deserialize_compact(token, import_key(pem, "EC"), algorithms=["ES384"])
    assert json.loads(other.payload) == claims
    return claims


@pytest.mark.parametrize("key_type,algorithm", PAIRS)
def test_a_token_is_bound_to_the_key_that_comes_with_it(server, key_type, algorithm):
    out = minted(server, "-keyType", key_type, "-signingAlgorithm", algorithm, "-ttl", "10m").stdout.splitlines()
    assert len(out) == 2
    claims = verified(server, out[0])
    assert list(claims) == ["cnf", "exp", "iat", "iss", "sub"]
    assert claims["sub"] == "spiffe://example.org/web" and claims["iss"] == "https://wit.example"
    assert claims["exp"] - claims["iat"] == 600 and abs(claims["iat"] - time.time()) < 60
    bound, private = claims["cnf"]["jwk"], json.loads(out[1])
    assert bound.pop("alg") == algorithm
    secret = {"d", "p", "q", "dp", "dq", "qi"}
    assert not secret & set(bound)
    assert bound == {name: value for name, value in private.items() if name not in secret}
    # Whoever holds the private key proves it to whoever has only the token.
    proof = jws.serialize_compact({"alg": algorithm}, b"nonce", import_key(private), algorithms=[algorithm])
    assert jws.deserialize_compact(proof, import_key(bound), algorithms=[algorithm]).payload == b"nonce"
    assert jwt.PyJWK(dict(bound, alg=algorithm)).key is not None


def test_json_has_numbers_and_nothing_empty(server):
    answer = json.loads(minted(server, "-output", "json").stdout)
    assert list(answer) == ["private_key", "svid"] and list(answer["svid"]) == ["token", "id", "expires_at", "issued_at"]
    claims = verified(server, answer["svid"]["token"])
    assert answer["svid"]["id"] == {"trust_domain": "example.org", "path": "/web"}
    assert (answer["svid"]["expires_at"], answer["svid"]["issued_at"]) == (claims["exp"], claims["iat"])
    assert claims["exp"] - claims["iat"] == 3600


def test_files_are_for_their_owner_only(server, tmp_path):
    out = minted(server, "-write", tmp_path)
    assert out.stdout == f"WIT-SVID written to {tmp_path}/token\nPrivate key written to {tmp_path}/key\n"
    for name in ["token", "key"]:
        assert stat.S_IMODE(os.stat(tmp_path / name).st_mode) == 0o600
    verified(server, (tmp_path / "token").read_text())
    assert import_key(json.loads((tmp_path / "key").read_text())).is_private


def test_a_lifetime_beyond_the_keys_is_capped_and_said(server):
    out = minted(server, "-ttl", "100000h")
    assert "WIT-SVID lifetime was capped shorter than specified ttl; expires" in out.stderr
    claims = verified(server, out.stdout.splitlines()[0])
    assert 0 < claims["exp"] - claims["iat"] <= 24 * 3600


def test_the_bundle_document_leaves_wit_keys_out(server):
    document = json.loads(server("bundle", "show", "-format", "spiffe").stdout)
    assert sorted(key["use"] for key in document["keys"]) == ["jwt-svid", "x509-svid"]


def test_a_restart_keeps_the_key_and_a_server_without_the_feature_keeps_its_record(server):
    before = published(server)[0]
    token = minted(server).stdout.splitlines()[0]
    text = server.config.read_text()
    server.stop()
    server.config.write_text(text.replace('"wit-svid"', ""))
    server.start()
    refused = minted(server, check=False)
    assert refused.returncode == 1
    assert refused.stderr == "Error: unable to mint SVID: rpc error: code = Unimplemented desc = WIT functionality is disabled\n"
    server.stop()
    server.config.write_text(text)
    server.start()
    assert published(server)[0] == before
    verified(server, token)
    assert verified(server, minted(server).stdout.splitlines()[0])["sub"] == "spiffe://example.org/web"
    for line in ['Developer feature flag \\"wit-svid\\" has been enabled', "WIT key prepared", "WIT key activated"]:
        assert line in server.log()


def test_the_command_is_there_only_with_the_feature(server):
    assert server("wit", "mint", "-spiffeID", "spiffe://example.org/web", check=False).returncode == 127
    refused = minted(server, id="spiffe://other.org/web", check=False)
    assert refused.returncode == 1 and "is not a member of trust domain" in refused.stderr


@pytest.mark.parametrize("flag,value,expected", [
    ("-keyType", "x\x1b[31m", r"unsupported key type 'x\x1b[31m' for 'ES256' signing algorithm"),
    ("-signingAlgorithm", "x\x1b[31m", r"unsupported signing algorithm: x\x1b[31m"),
    ("-spiffeID", "x\x1b[31m", r'invalid value "x\x1b[31m" for flag -spiffeID: scheme is missing or invalid'),
])
def test_wrong_flags_are_named_and_write_nothing_to_the_terminal(server, flag, value, expected):
    result = minted(server, flag, value, check=False)
    assert result.returncode == 1 and result.stdout == ""
    assert expected in result.stderr and "\x1b" not in result.stderr
