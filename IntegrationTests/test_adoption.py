# SPDX-License-Identifier: Apache-2.0
"""State written by the original is continued: its authorities, entries, agents and tokens."""
import json
import shutil
import sqlite3

import pytest
from programs import openssl


@pytest.fixture
def adopted(samples, make_server):
    server = make_server()
    data = server.folder / "data"
    data.mkdir()
    for name in ("datastore.sqlite3", "keys.json"):
        shutil.copy(samples / "spire-state" / "sqlite" / "server" / name, data / name)
    (data / "keys.json").chmod(0o600)
    return server.start()


def test_the_server_continues_its_authorities_and_entries(adopted, samples):
    database = samples / "spire-state" / "sqlite" / "server" / "datastore.sqlite3"
    with sqlite3.connect(f"file:{database}?mode=ro&immutable=1", uri=True) as original:
        stored = {row[0] for row in original.execute("select entry_id from registered_entries")}
        authority = original.execute("select active_x509_authority_id from ca_journals").fetchone()[0]
    entries = json.loads(adopted("entry", "show", "-output", "json").stdout)["entries"]
    assert {entry["id"] for entry in entries} == stored
    # The CA that signs now is the one that was active there.
    minted = json.loads(adopted("x509", "mint", "-spiffeID", "spiffe://example.org/m", "-output", "json").stdout)
    import base64
    der = base64.b64decode(minted["x509_svid"][0])
    (adopted.folder / "leaf.der").write_bytes(der)
    text = openssl("x509", "-inform", "DER", "-in", adopted.folder / "leaf.der", "-noout", "-ext", "authorityKeyIdentifier").stdout
    assert authority in text.replace(":", "").lower()
    assert adopted("agent", "count").stdout == "1 attested agent\n"
    assert f"{authority}" in adopted.log()


def test_the_agent_continues_without_a_token(adopted, samples, make_agent):
    agent = make_agent(adopted)
    data = agent.folder / "data"
    data.mkdir()
    for name in ("agent-data.json", "keys.json"):
        shutil.copy(samples / "spire-state" / "sqlite" / "agent" / name, data / name)
    agent.start()
    assert "Node attestation was successful" not in agent.log()
    before = json.loads(adopted("agent", "list", "-output", "json").stdout)["agents"]
    assert len(before) == 1


def test_the_stored_token_attests_an_agent(adopted, samples, make_agent):
    token = (samples / "spire-state" / "sqlite" / "server" / "unused-token.txt").read_text().split()[1]
    make_agent(adopted).start(token)
    assert adopted("agent", "count").stdout == "2 attested agents\n"


def test_a_database_from_the_future_is_refused_and_untouched(make_server):
    server = make_server().start()
    server.stop()
    path = server.folder / "data" / "datastore.sqlite3"
    with sqlite3.connect(path) as database:
        database.execute("update migrations set version = 99, code_version = '2.0.0'")
    server.launch("run", "-config", server.config)
    assert server.process.wait(20) == 1
    assert "incompatible DB schema and code version" in server.log()
    with sqlite3.connect(path) as database:
        assert database.execute("select version, code_version from migrations").fetchall() == [(99, "2.0.0")]
