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


NODE = ("-parentID", "spiffe://example.org/n")
WORK = ("-spiffeID", "spiffe://example.org/x")
SELECTOR = ("-selector", "a:b")
WEB = ("-bundleEndpointURL", "https://127.0.0.1:1/b", "-bundleEndpointProfile", "https_web")
FOREIGN = 'is not a member of trust domain "example.org"'


@pytest.mark.parametrize("words,flag,rest,answers", [
    ("agent show", "-spiffeID", (), {"": "a SPIFFE ID is required", "spiffe://other.org/x": FOREIGN}),
    ("agent ban", "-spiffeID", (), {"": "a SPIFFE ID is required", "spiffe://example.org/x": "is not an agent in trust domain"}),
    ("agent evict", "-spiffeID", (), {"": "a SPIFFE ID is required", "spiffe://other.org/x": FOREIGN}),
    ("agent list", "-matchSelectorsOn", SELECTOR, {"nonsense": "unsupported match behavior"}),
    ("bundle show", "-format", (), {"nonsense": 'invalid format: "nonsense"'}),
    ("bundle list", "-id", (), {"nonsense": "bundle not found", "x" * 300: "trust domain is longer than 255 bytes"}),
    ("bundle set", "-id", ("-path", "/dev/null"), {"": "id flag is required", "Upper.org": "trust domain characters"}),
    ("bundle set", "-path", ("-id", "spiffe://other.org"), {"/nowhere": "no such file", "/dev/null": "no PEM blocks"}),
    ("bundle delete", "-id", (), {"": "id is required", "none.org": "bundle not found",
                                  "example.org": "removing the bundle for the server trust domain is not allowed"}),
    ("bundle delete", "-mode", ("-id", "spiffe://other.org"), {"": 'unsupported mode ""', "x\x1b[31m": 'unsupported mode "x\\x1b[31m"'}),
    ("entry show", "-entryID", (), {"nonsense": "entry not found"}),
    ("entry show", "-parentID", (), {"nonsense": "scheme is missing", "spiffe://other.org/x": FOREIGN}),
    ("entry show", "-selector", (), {"": 'selector "" must be formatted as type:value'}),
    ("entry show", "-matchFederatesWithOn", ("-federatesWith", "a.org"), {"nonsense": 'match behavior "nonsense" unknown'}),
    ("entry show", "-output", (), {"xml": 'invalid value "xml" for flag -output'}),
    ("entry create", "-selector", (*NODE, *WORK), {"": "must be formatted as type:value", "a:": "missing selector value", ":b": "missing selector type"}),
    ("entry create", "-hint", (*NODE, *WORK, *SELECTOR), {"h" * 1025: "hint is too long, max length is 1024 characters"}),
    ("entry create", "-federatesWith", (*NODE, *WORK, *SELECTOR), {"": "invalid federated trust domain", "x" * 300: "longer than 255"}),
    ("entry create", "-dns", (*NODE, *WORK, *SELECTOR), {"": "invalid DNS name", "x" * 60_000: "invalid DNS name"}),
    ("entry create", "-jwtSVIDTTL", (*NODE, *WORK, *SELECTOR), {"-1": "a positive JWT-SVID TTL is required", "4294967296": "integer overflow"}),
    ("entry update", "-entryID", (*NODE, *WORK, *SELECTOR), {"": "entry ID is required", "none": "NotFound"}),
    ("entry delete", "-entryID", (), {"none": "entry not found"}),
    ("entry apply", "-owner", ("-f", "/dev/null"), {"": "owner must be 1 to 64", "Owner": "owner must be", "x" * 65: "owner must be"}),
    ("entry apply", "-f", ("-owner", "team"), {"": "see -f", "/nowhere": "no such file"}),
    ("entry explain", "-limit", SELECTOR, {"0": "limit must be", "-1": "limit must be"}),
    ("federation create", "-trustDomain", WEB, {"": "trust domain is required", "Upper": "failed to parse trust domain"}),
    ("federation create", "-bundleEndpointURL", ("-trustDomain", "o.org", "-bundleEndpointProfile", "https_web"),
     {"": "URL is required", "http://o.org": "must use the https scheme", "https://u@o.org": "must not contain user info",
      "https:///x": "must specify the host"}),
    ("federation create", "-bundleEndpointProfile", ("-trustDomain", "o.org", "-bundleEndpointURL", "https://x"),
     {"nonsense": 'unknown bundle endpoint profile type: "nonsense"'}),
    ("federation show", "-trustDomain", (), {"": "a trust domain name is required", "none.org": "does not exist"}),
    ("federation delete", "-id", (), {"": "id is required", "none.org": "not found"}),
    ("federation refresh", "-id", (), {"none.org": "there is no federation relationship with trust domain"}),
    ("jwt mint", "-audience", WORK, {"": "at least one audience is required"}),
    ("jwt mint", "-spiffeID", ("-audience", "a"), {"": "spiffeID must be specified", "spiffe://other.org/x": FOREIGN}),
    ("x509 mint", "-dns", WORK, {"": "CSR DNS name is invalid", "a b": "CSR DNS name is invalid", "x" * 60_000: "malformed CSR"}),
    ("localauthority x509 activate", "-authorityID", (), {"": "an authority ID is required", "none": "unexpected authority ID"}),
    ("localauthority jwt revoke", "-authorityID", (), {"": "an authority ID is required", "none": "no JWT authority found"}),
    ("upstreamauthority taint", "-subjectKeyID", (), {"none": "upstream authority is not configured"}),
    ("logger set", "-level", (), {"": "a value (-level) must be set", "loud": 'the value "loud" is not a valid setting'}),
])
def test_flags(lab, words, flag, rest, answers):
    before = [lab.server(*noun).stdout for noun in (("entry", "count"), ("bundle", "count"), ("federation", "list"))]
    for value, expected in answers.items():
        result = lab.server(*words.split(), flag, value, *rest, check=False)
        assert result.returncode == 1, value
        assert expected in result.stderr.replace('\\"', '"'), f"{value[:40]!r}: {result.stderr[:400]}"
        assert "\x1b" not in result.stderr, "a terminal was written to"
    assert before == [lab.server(*noun).stdout for noun in (("entry", "count"), ("bundle", "count"), ("federation", "list"))]
