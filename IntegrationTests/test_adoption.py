# SPDX-License-Identifier: Apache-2.0
"""State written by the original is continued: its authorities, entries, agents and tokens, on every database."""
import base64
import json
import pathlib
import shutil
import sqlite3
import subprocess
import tempfile

import pytest
from cluster import Database
from programs import openssl

KINDS = {"sqlite": None, "postgres": "postgres", "mysql": "mariadb"}


@pytest.fixture(scope="module")
def servers():
    """Database servers, each started when first asked for."""
    # They run as users who may not enter every folder, and sockets have short names.
    folder = pathlib.Path(tempfile.mkdtemp(prefix="adopt-", dir="/tmp"))
    folder.chmod(0o755)
    running = {}

    def get(kind):
        if kind not in running:
            running[kind] = Database(kind, folder / kind)
        return running[kind]
    yield get
    for database in running.values():
        for which in ("replica", "primary"):
            database.kill(which)
        database.gateway.close()
    shutil.rmtree(folder, ignore_errors=True)


class State:
    """A copy of the original's state and a server of ours on it."""

    def __init__(self, kind, samples, make_server, servers):
        self.kind = kind
        self.folder = samples / "spire-state" / kind
        original = self.folder / "server"
        if kind == "sqlite":
            self.server = make_server()
        else:
            self.database = servers(KINDS[kind])
            self.name = self.database.create()
            self.load(original / "datastore.sql")
            self.server = make_server(datastore=self.database.plugin(self.name))
        data = self.server.folder / "data"
        data.mkdir()
        shutil.copy(original / "keys.json", data / "keys.json")
        (data / "keys.json").chmod(0o600)
        self.path = data / "datastore.sqlite3"
        if kind == "sqlite":
            shutil.copy(original / "datastore.sqlite3", self.path)
        self.token = (original / "unused-token.txt").read_text().split()[1]

    def load(self, dump):
        # The first lines are for clients newer than some.
        lines = [line for line in dump.read_text().splitlines(True) if not line.startswith(("\\", "/*M!"))]
        if self.kind == "postgres":
            command = ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", self.database.folder, "-p",
                       self.database.values["PORT"], "-U", "spire", "-d", self.name]
        else:
            command = ["mariadb", "--no-defaults", "-u", "root", f"--socket={self.database.folder}/primary.sock", self.name]
        loaded = subprocess.run([str(part) for part in command], input="".join(lines), capture_output=True, text=True, timeout=60)
        assert loaded.returncode == 0, loaded.stderr

    def rows(self, statement):
        """Rows as lists of texts, null as an empty one."""
        if self.kind != "sqlite":
            found = self.database.sql(statement, self.name)
            return [line.replace("NULL", "").split("|") for line in found.splitlines()]
        with sqlite3.connect(self.path) as database:
            return [["" if value is None else str(value) for value in row] for row in database.execute(statement)]


@pytest.fixture(params=list(KINDS))
def state(request, samples, make_server, servers):
    if KINDS[request.param] and not Database.is_available(KINDS[request.param]):
        pytest.skip(f"{KINDS[request.param]} is not installed: dev/setup --tests")
    return State(request.param, samples, make_server, servers)


def test_the_server_continues_its_authorities_and_entries(state):
    stored = {row[0] for row in state.rows("select entry_id from registered_entries")}
    authority = state.rows("select active_x509_authority_id from ca_journals")[0][0]
    server = state.server.start()
    entries = json.loads(server("entry", "show", "-output", "json").stdout)["entries"]
    assert len(entries) == 9 and {entry["id"] for entry in entries} == stored
    # The CA that signs now is the one that was active there.
    minted = json.loads(server("x509", "mint", "-spiffeID", "spiffe://example.org/m", "-output", "json").stdout)
    (server.folder / "leaf.der").write_bytes(base64.b64decode(minted["x509_svid"][0]))
    text = openssl("x509", "-inform", "DER", "-in", server.folder / "leaf.der", "-noout", "-ext", "authorityKeyIdentifier").stdout
    assert authority in text.replace(":", "").lower()
    assert server("agent", "count").stdout == "1 attested agent\n"
    assert f"{authority}" in server.log()
    assert server("bundle", "count").stdout == "2 bundles\n"


def test_the_agent_continues_without_a_token(state, make_agent):
    server = state.server.start()
    agent = make_agent(server)
    data = agent.folder / "data"
    data.mkdir()
    for name in ("agent-data.json", "keys.json"):
        shutil.copy(state.folder / "agent" / name, data / name)
    agent.start()
    assert "Node attestation was successful" not in agent.log()
    before = json.loads(server("agent", "list", "-output", "json").stdout)["agents"]
    assert len(before) == 1
    # Identities of the original's entries for this very process.
    assert agent.wait_identity("spiffe://example.org/web")


def test_the_stored_token_attests_an_agent(state, make_agent):
    server = state.server.start()
    make_agent(server).start(state.token)
    assert server("agent", "count").stdout == "2 attested agents\n"
    assert state.rows("select count(*) from join_tokens") == [["0"]]


# What a new row of each table has to look like beside the original's own, keys and times aside.
SHAPES = {
    "registered_entries": "spiffe_id, parent_id, ttl, admin, downstream, expiry, revision_number, store_svid, hint, jwt_svid_ttl",
    "selectors": "type, value",
    "dns_names": "value",
}


def test_what_we_write_is_what_the_original_wrote(state):
    """Every entry is deleted and made again with our command: the rows are the original's again."""
    bundles = {"sqlite": "hex(data)", "postgres": "encode(data, 'hex')", "mysql": "hex(data)"}[state.kind]
    kept = ["select trust_domain, " + bundles + " from bundles order by id",
            "select spiffe_id, data_type, serial_number, expires_at, new_serial_number, new_expires_at, can_reattest, agent_version"
            " from attested_node_entries", "select trust_domain, bundle_endpoint_url, bundle_endpoint_profile,"
            " endpoint_spiffe_id, implicit from federated_trust_domains"]
    kept_before = [state.rows(statement) for statement in kept]

    def shapes():
        return {table: sorted(state.rows(f"select {columns} from {table}")) for table, columns in SHAPES.items()}
    # The revision counts changes, which a new entry has none of.
    before = shapes()
    server = state.server.start()
    entries = json.loads(server("entry", "show", "-output", "json").stdout)["entries"]
    (server.folder / "entries.json").write_text(json.dumps({"entries": [
        {key: value for key, value in {
            "entry_id": entry["id"], "spiffe_id": f"spiffe://example.org{entry['spiffe_id']['path']}",
            "parent_id": f"spiffe://example.org{entry['parent_id']['path']}", "selectors": entry["selectors"],
            "x509_svid_ttl": entry["x509_svid_ttl"], "jwt_svid_ttl": entry["jwt_svid_ttl"],
            "federates_with": [f"spiffe://{domain}" for domain in entry["federates_with"]], "hint": entry["hint"],
            "admin": entry["admin"], "downstream": entry["downstream"], "store_svid": entry["store_svid"],
            "dns_names": entry["dns_names"], "entryExpiry": int(entry["expires_at"])}.items()} for entry in entries]}))
    for entry in entries:
        server("entry", "delete", "-entryID", entry["id"])
    assert shapes() == {table: [] for table in SHAPES}
    server("entry", "create", "-data", server.folder / "entries.json")
    after = shapes()
    for table in SHAPES:
        place = SHAPES[table].split(", ").index("revision_number") if "revision_number" in SHAPES[table] else None
        plain = [[value for number, value in enumerate(row) if number != place] for row in before[table]]
        assert [[value for number, value in enumerate(row) if number != place] for row in after[table]] == plain
    server.stop()
    assert [state.rows(statement) for statement in kept] == kept_before
    assert state.rows("select version, code_version from migrations") == [["25", "1.16.0"]]
    # 10 of the original's events, one for each deletion and creation.
    assert state.rows("select count(*), max(id) from registered_entries_events where id > 10") == [["18", "28"]]


def test_a_database_from_the_future_is_refused_and_untouched(state):
    statement = "update migrations set version = 99, code_version = '2.0.0'"
    if state.kind == "sqlite":
        with sqlite3.connect(state.path) as database:
            database.execute(statement)
    else:
        state.database.sql(statement, state.name)
    state.server.launch("run", "-config", state.server.config)
    assert state.server.process.wait(20) == 1
    assert "incompatible DB schema and code version" in state.server.log()
    assert state.rows("select version, code_version from migrations") == [["99", "2.0.0"]]
