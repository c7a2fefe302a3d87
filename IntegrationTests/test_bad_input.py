# SPDX-License-Identifier: Apache-2.0
"""Wrong input gets a message that names it, and changes nothing."""
import json

import pytest


@pytest.mark.parametrize("change,expected", [
    (("trust_domain = \"example.org\"", "trust_domain = \"Example.org\""), "could not parse trust_domain"),
    (("trust_domain = \"example.org\"", ""), "trust_domain must be configured"),
    (("log_level = \"DEBUG\"", "ca_ttl = \"soon\""), "could not parse default CA ttl"),
    (("log_level = \"DEBUG\"", "ca_key_type = \"ec-p999\""), "must be one of [rsa-2048, rsa-4096, ec-p256, ec-p384]"),
    (("log_level = \"DEBUG\"", "no_such_key = 1"), "unknown configuration detected"),
    (("bind_port = ", "bind_port = \"x\" #"), "invalid syntax"),
    (("KeyManager \"disk\"", "KeyManager \"no_such\""), 'no built-in plugin "no_such" for type "KeyManager"'),
    (("database_type = \"sqlite3\"", "database_type = \"oracle\""), "unsupported database_type: oracle"),
    (("DataStore \"sql\"", "Notifier \"sql\""), "DataStore"),
])
def test_server_configuration(make_server, change, expected):
    server = make_server()
    text = server.config.read_text()
    assert change[0] in text
    server.config.write_text(text.replace(*change))
    for command in ("run", "validate"):
        result = server.command(command, "-config", server.config, check=False)
        assert result.returncode == 1
        # A log line quotes what it quotes.
        said = (result.stdout + result.stderr).replace('\\"', '"')
        assert expected in said, said
    assert not (server.folder / "data" / "datastore.sqlite3").exists() or "datastore" in str(change)


@pytest.mark.parametrize("arguments,expected", [
    (("-parentID", "spiffe://example.org/spire/agent/x", "-spiffeID", "example.org/x", "-selector", "a:b"), "scheme is missing or invalid"),
    (("-parentID", "spiffe://example.org/n", "-spiffeID", "spiffe://example.org/spire/x", "-selector", "a:b"),
     "path is in the reserved namespace"),
    (("-parentID", "spiffe://other.org/n", "-spiffeID", "spiffe://example.org/x", "-selector", "a:b"),
     'is not a member of trust domain \\"example.org\\"'),
    (("-parentID", "spiffe://example.org/n", "-spiffeID", "spiffe://example.org/x/", "-selector", "a:b"), "trailing slash"),
    (("-parentID", "spiffe://example.org/n", "-spiffeID", "spiffe://example.org/x", "-selector", "a:b", "-dns", "a..b"),
     "invalid DNS name"),
    (("-parentID", "spiffe://example.org/n", "-spiffeID", "spiffe://example.org/x", "-selector", "a:b", "-federatesWith", "nowhere.test"),
     "unable to find federated bundle"),
    (("-parentID", "spiffe://example.org/n", "-spiffeID", "spiffe://example.org/x", "-selector", "a:b", "-x509SVIDTTL", "-1"),
     "a positive x509-SVID TTL is required"),
    (("-parentID", "spiffe://example.org/n", "-spiffeID", "spiffe://example.org/x", "-selector", "a:b", "-entryID", "no spaces"),
     "invalid registration entry"),
    (("-bogus",), "flag provided but not defined: -bogus"),
])
def test_entries(lab, arguments, expected):
    before = lab.server("entry", "count").stdout
    result = lab.server("entry", "create", *arguments, check=False)
    assert result.returncode == 1
    assert expected in result.stderr
    assert lab.server("entry", "count").stdout == before


def test_an_entry_file_with_one_bad_entry_creates_nothing(lab, tmp_path):
    before = lab.server("entry", "count").stdout
    data = tmp_path / "entries.json"
    good = {"selectors": [{"type": "unix", "value": "uid:1"}], "parent_id": "spiffe://example.org/n", "spiffe_id": "spiffe://example.org/f"}
    data.write_text(json.dumps({"entries": [good, {**good, "spiffe_id": "nonsense"}]}))
    assert lab.server("entry", "create", "-data", data, check=False).returncode == 1
    assert lab.server("entry", "count").stdout == before


@pytest.mark.parametrize("arguments", [("-spiffeID", "spiffe://example.org/spire/server"), ("-ttl", "0"), ("-ttl", "x"),
                                       ("-spiffeID", "spiffe://elsewhere.org/a")])
def test_tokens(lab, arguments):
    result = lab.server("token", "generate", *arguments, check=False)
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr
