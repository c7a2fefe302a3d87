# SPDX-License-Identifier: Apache-2.0
"""Backup and restore of a server that is being written to, with agents that go on afterwards."""
import json
import os
import shutil
import threading

from programs import wait_for

NODE = "spiffe://example.org/node"
SECRET = {"SPIRE_BACKUP_PASSPHRASE": "correct horse battery"}


def entries(server):
    return {e["id"]: e for e in json.loads(server("entry", "show", "-output", "json").stdout)["entries"]}


def backup(server, *words, check=True, env=SECRET):
    return server.command("backup", *words, check=check, env=env)


def create(server, path, *more, **options):
    return backup(server, "create", "-config", server.config, "-out", path, *more, **options)


def restore(server, path, *more, **options):
    return backup(server, "restore", "-config", server.config, "-in", path, *more, **options)


def wipe(server):
    shutil.rmtree(server.folder / "data")


def test_backup_under_load_is_a_moment_of_it_and_agents_go_on(make_server, make_agent, tmp_path, any_store):
    server = make_server(**any_store.options).start()
    agent = make_agent(server, settings='experimental { sync_interval = "1s" }').start(server.token(NODE))
    server.entry("spiffe://example.org/before")
    agent.wait_identity("spiffe://example.org/before")
    agent_before = json.loads(server("agent", "list", "-output", "json").stdout)["agents"]

    # The load: a known sequence of creations, changes and deletions, one after the other.
    history = [entries(server)]
    stop = threading.Event()

    def load():
        n = 0
        ids = []
        while not stop.is_set():
            state = dict(history[-1])
            if n % 3 == 2:
                gone = ids.pop(0)
                server("entry", "delete", "-entryID", gone)
                state.pop(gone)
            else:
                made = json.loads(server(
                    "entry", "create", "-parentID", NODE, "-spiffeID", f"spiffe://example.org/load/{n}", "-selector",
                    f"unix:uid:{100000 + n}", "-output", "json").stdout)["results"][0]["entry"]
                ids.append(made["id"])
                state[made["id"]] = made
            history.append(state)
            n += 1

    writer = threading.Thread(target=load)
    writer.start()
    path = tmp_path / "b1"
    try:
        wait_for(lambda: len(history) > 4, "load", timeout=60)
        first = len(history) - 1
        made = json.loads(create(server, path, "-output", "json").stdout)
        last = len(history)
        wait_for(lambda: len(history) > last + 3, "more load", timeout=60)
    finally:
        stop.set()
        writer.join()
    assert made["holds_private_keys"] and made["keys"] and oct(path.stat().st_mode & 0o777) == "0o600"
    assert b"BEGIN" not in path.read_bytes() and b"load/" not in path.read_bytes()

    server.stop()
    wipe(server)
    # What a database server has of it is still there.
    text = restore(server, path, *(["-force"] if any_store.server else [])).stdout
    assert "Restored the backup" in text
    server.start()
    found = {i: e["spiffe_id"]["path"] for i, e in entries(server).items()}
    moments = [{i: e["spiffe_id"]["path"] for i, e in state.items()} for state in history]
    assert any(found == moments[n] for n in range(first, min(last + 1, len(moments)))), "not a moment of the load"

    # The agent, which knows nothing of it, goes on: same node, and new entries reach it.
    agents = json.loads(server("agent", "list", "-output", "json").stdout)["agents"]
    assert [a["id"] for a in agents] == [a["id"] for a in agent_before]
    assert [a["x509svid_serial_number"] for a in agents] == [a["x509svid_serial_number"] for a in agent_before]
    server.entry("spiffe://example.org/after")
    agent.wait_identity("spiffe://example.org/after")
    assert agent.alive() and agent.log().count("Node attestation was successful") == 1


def test_agents_that_renewed_after_the_backup_go_on_after_its_restore(make_server, make_agent, tmp_path):
    server = make_server(settings='agent_ttl = "40s"').start()
    agent = make_agent(server, settings='experimental { sync_interval = "1s" }').start(server.token(NODE))
    server.entry("spiffe://example.org/before")
    agent.wait_identity("spiffe://example.org/before")

    def serial():
        return json.loads(server("agent", "list", "-output", "json").stdout)["agents"][0]["x509svid_serial_number"]

    path = tmp_path / "b"
    create(server, path)
    old = serial()
    wait_for(lambda: serial() != old, "a renewal", timeout=60)
    server.stop()
    restore(server, path, "-force")
    server.start()
    assert serial() == old
    server.entry("spiffe://example.org/after")
    agent.wait_identity("spiffe://example.org/after")
    assert serial() != old
    assert agent.alive() and agent.log().count("Node attestation was successful") == 1


def test_restore_refuses_what_would_destroy(make_server, tmp_path):
    server = make_server().start()
    server.entry("spiffe://example.org/a")
    path = tmp_path / "b"
    create(server, path)
    assert "is there already" in create(server, path, check=False).stderr
    running = restore(server, path, "-force", check=False)
    assert running.returncode == 1 and "a server runs on" in running.stderr
    server.entry("spiffe://example.org/b", "unix:uid:5")
    server.stop()

    refused = restore(server, path, check=False)
    assert refused.returncode == 1 and "is not empty; -force overwrites it" in refused.stderr
    assert "at least 12 bytes" in restore(server, path, "-force", check=False, env={
        "SPIRE_BACKUP_PASSPHRASE": "short"}).stderr
    assert "the passphrase is another" in restore(server, path, "-force", check=False, env={
        "SPIRE_BACKUP_PASSPHRASE": "another passphrase"}).stderr
    assert "give its passphrase" in restore(server, path, "-force", check=False, env={
        "SPIRE_BACKUP_PASSPHRASE": ""}).stderr
    other = make_server("other", trust_domain="other.test")
    assert "is of trust domain example.org" in restore(other, path, check=False).stderr

    server.start()
    assert len(entries(server)) == 2
    server.stop()
    restore(server, path, "-force")
    server.start()
    assert [e["spiffe_id"]["path"] for e in entries(server).values()] == ["/a"]
    # The same authority is in use: its keys were restored with the state.
    server.stop()
    keys = server.folder / "data" / "keys.json"
    kept = keys.read_bytes()
    keys.write_text('{"keys": {}}')
    assert "holds other keys than the backup" in restore(server, path, check=False).stderr
    restore(server, path, "-force")
    assert keys.read_bytes() == kept and oct(keys.stat().st_mode & 0o777) == "0o600"


def test_verify_finds_damage_and_prints_what_is_inside(make_server, tmp_path):
    server = make_server().start()
    server.entry("spiffe://example.org/a")
    path = tmp_path / "b"
    create(server, path)
    report = json.loads(backup(server, "verify", "-in", path, "-output", "json").stdout)
    assert report["trust_domain"] == "example.org" and report["rows"]["registered_entries"] == 1
    assert "Private keys" in backup(server, "verify", "-in", path).stdout
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert "cannot be used" in backup(server, "verify", "-in", path, check=False).stderr
    assert backup(server, "verify", "-in", path, check=False).returncode == 1
    for wrong in (["verify"], ["verify", "-in", tmp_path / "none"], ["create", "-config", server.config],
                  ["restore", "-config", server.config]):
        assert backup(server, *wrong, check=False).returncode == 1
    missing = make_server("missing")
    assert "there is no database" in create(missing, tmp_path / "m", check=False).stderr
    assert not (tmp_path / "m").exists() and not (missing.folder / "data").exists()


def test_without_a_passphrase_no_private_key_is_in_the_file(make_server, tmp_path):
    server = make_server().start()
    server.entry("spiffe://example.org/a")
    path = tmp_path / "b"
    made = create(server, path, env={"SPIRE_BACKUP_PASSPHRASE": ""})
    assert "with a passphrase it would" in made.stderr
    content = path.read_text(errors="replace")
    keys = json.loads((server.folder / "data" / "keys.json").read_text())["keys"]
    assert keys and all(value not in content for value in keys.values())
    server.stop()
    shutil.move(server.folder / "data" / "keys.json", tmp_path / "keys.json")
    wipe(server)
    os.makedirs(server.folder / "data")
    lacking = restore(server, path, env={"SPIRE_BACKUP_PASSPHRASE": ""})
    assert "The key manager lacks" in lacking.stderr
    shutil.move(tmp_path / "keys.json", server.folder / "data" / "keys.json")
    assert "lacks" not in restore(server, path, "-force", env={"SPIRE_BACKUP_PASSPHRASE": ""}).stderr
    before = server.log()
    server.start()
    assert len(entries(server)) == 1
    assert server("x509", "mint", "-spiffeID", "spiffe://example.org/m").returncode == 0
    assert "slot unusable" not in server.log()[len(before):]
