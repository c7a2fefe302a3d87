# SPDX-License-Identifier: Apache-2.0
"""What was issued survives restarts, absences and crashes."""
import json
import os
import random
import re
import socket
import subprocess
import sys
import threading
import time

import pytest
from programs import PROGRAMS, ROOT, SYNC_EVERY_SECOND, free_port, wait_for
from spiffe import WorkloadApiClient

PEERS = ROOT / "IntegrationTests" / "peers"


def test_the_agent_serves_from_its_cache_while_the_server_is_away(make_server, make_agent):
    server = make_server().start()
    agent = make_agent(server, settings=SYNC_EVERY_SECOND).start(server.token("spiffe://example.org/node"))
    server.entry("spiffe://example.org/w")
    agent.wait_identity("spiffe://example.org/w")
    first = agent("api", "fetch", "jwt", "-audience", "a", "-output", "json").stdout
    server.stop()
    wait_for(lambda: "Synchronize failed" in agent.log(), "the agent to notice")
    assert "spiffe://example.org/w" in agent("api", "fetch", "x509").stdout
    assert agent("api", "fetch", "jwt", "-audience", "a", "-output", "json").stdout == first
    assert agent("healthcheck").stdout == "Agent is healthy.\n"
    server.start()
    server.entry("spiffe://example.org/after")
    agent.wait_identity("spiffe://example.org/after")


def test_restarts_lose_nothing_and_need_no_token(make_server, make_agent):
    server = make_server().start()
    agent = make_agent(server).start(server.token("spiffe://example.org/node"))
    server.entry("spiffe://example.org/w")
    agent.wait_identity("spiffe://example.org/w")
    bundle = server("bundle", "show").stdout
    assert server.stop() == 0
    assert "Server stopped gracefully" in server.log()
    server.start()
    assert server("bundle", "show").stdout == bundle
    assert agent.stop() == 0
    assert "Agent stopped gracefully" in agent.log()
    agent.start()
    agent.wait_identity("spiffe://example.org/w")


@pytest.mark.parametrize("damage", ["", "{", '{"svid": 5}', '{"svid": ["bm90IHBlbQ=="], "bundle": null}'])
def test_a_half_written_agent_file_is_named_and_left_alone(make_server, make_agent, damage):
    server = make_server().start()
    agent = make_agent(server)
    data = agent.folder / "data"
    data.mkdir()
    path = data / "agent-data.json"
    path.write_text(damage)
    agent.launch("run", "-config", agent.config, "-joinToken", server.token())
    assert agent.process.wait(20) == 1
    assert "agent-data.json" in agent.log()
    assert path.read_text() == damage
    assert server("agent", "count").stdout == "0 attested agents\n"


@pytest.mark.parametrize("damage", ["{", '{"keys": {"x509-CA-A": "bm90IGEga2V5"}}', "[]"])
def test_a_half_written_key_file_is_named_and_left_alone(make_server, damage):
    server = make_server()
    data = server.folder / "data"
    data.mkdir()
    path = data / "keys.json"
    path.write_text(damage)
    server.launch("run", "-config", server.config)
    assert server.process.wait(20) == 1
    assert "keys.json" in server.log()
    assert path.read_text() == damage


def kill_at_random_moments(make_server, make_agent, seed, kills):
    """kill -9 of server and agent while entries are written and identities rotate."""
    chance = random.Random(seed)
    server = make_server(settings='ca_ttl = "2m"\n default_x509_svid_ttl = "20s"\n agent_ttl = "40s"').start()
    agent = make_agent(server, settings=SYNC_EVERY_SECOND).start(server.token("spiffe://example.org/node"))
    acknowledged = set()
    stop = threading.Event()

    def register():
        number = 0
        while not stop.is_set():
            number += 1
            made = server("entry", "create", "-parentID", "spiffe://example.org/node", "-spiffeID",
                          f"spiffe://example.org/k{number}", "-selector", f"unix:uid:{os.getuid()}", "-output", "json", check=False)
            if made.returncode == 0:
                result = json.loads(made.stdout)["results"][0]
                if result["status"]["code"] == 0:
                    acknowledged.add(result["entry"]["id"])
    writer = threading.Thread(target=register)
    writer.start()
    try:
        for number in range(kills):
            time.sleep(chance.uniform(0.2, 4))
            victim = [server, agent][number] if number < 2 else chance.choice([server, agent])
            victim.kill()
            time.sleep(chance.uniform(0, 1))
            victim.start()
    finally:
        stop.set()
        writer.join()
    stored = {entry["id"]: entry["spiffe_id"]["path"] for entry in json.loads(server("entry", "show", "-output", "json").stdout)["entries"]}
    assert acknowledged
    assert acknowledged <= set(stored)
    assert agent.log().count("Node attestation was successful") == 1
    assert server("agent", "count").stdout == "1 attested agent\n"
    # Every entry that was acknowledged is an identity now, and each verifies against the bundle (`api fetch` sees to it).
    expected = {f"spiffe://example.org{stored[entry]}" for entry in acknowledged}
    wait_for(lambda: expected <= set(re.findall(r"^SPIFFE ID:\t\t(\S+)$", agent("api", "fetch", "x509", check=False).stdout, re.M)),
             "every acknowledged entry's identity", timeout=60)


def test_killed_a_few_times_nothing_registered_is_lost(make_server, make_agent):
    kill_at_random_moments(make_server, make_agent, seed=100, kills=4)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_killed_at_random_moments_nothing_registered_is_lost(make_server, make_agent, seed):
    kill_at_random_moments(make_server, make_agent, seed, kills=8)


def accepts(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def soak(make_server, make_agent, seconds, authority, identity, token):
    """Mutual TLS and JWT-SVIDs without a pause while everything rotates. - Returns: what the client counted."""
    server = make_server(settings=f"""ca_ttl = "{authority}s"
        default_x509_svid_ttl = "{identity}s"
        agent_ttl = "{identity}s"
        default_jwt_svid_ttl = "{token}s\"""").start()
    agent = make_agent(server, settings=SYNC_EVERY_SECOND).start(server.token("spiffe://example.org/node"))
    server.entry("spiffe://example.org/soak")
    agent.wait_identity("spiffe://example.org/soak")
    environment = {**os.environ, "SPIFFE_ENDPOINT_SOCKET": agent.endpoint}
    name = "spiffe://example.org/soak"
    servers = [[sys.executable, PEERS / "soak_server.py", free_port(), name]]
    if (PROGRAMS / "mtls-server").exists():
        servers.append([PROGRAMS / "mtls-server", free_port(), name, 1_000_000])
    ports = [str(next(part for part in command if isinstance(part, int))) for command in servers]
    listeners = []
    try:
        for command in servers:
            with open(server.folder / f"peer{len(listeners)}.log", "wb") as output:
                listeners.append(subprocess.Popen([str(part) for part in command], stdout=output, stderr=output, env=environment))
        for port in ports:
            wait_for(lambda: accepts(int(port)), "the peer to listen")
        client = subprocess.run(
            [sys.executable, PEERS / "soak_client.py", str(seconds), name, *ports], capture_output=True, text=True,
            env=environment, timeout=seconds + 100)
    finally:
        for listener in listeners:
            listener.kill()
            listener.wait()
    assert client.returncode == 0, client.stdout + client.stderr
    report = json.loads(client.stdout.splitlines()[-1])
    assert report["failed"] == 0, client.stdout[:3000]
    # Each peer showed new certificates all along.
    assert all(count >= seconds / (identity * 1.5) for count in report["shown"]), report
    with WorkloadApiClient(agent.endpoint) as workload:
        assert workload.fetch_x509_bundles()
    assert agent.alive() and server.alive()
    report["authorities"] = min(server.log().count("X509 CA activated"), server.log().count("JWT key activated"))
    report["renewals"] = server.log().count("Agent SVID renewed")
    report["rotations"] = server.log().count("Rotating server SVID")
    print(report)
    return report


def test_everything_rotates_under_load_without_a_gap(make_server, make_agent):
    report = soak(make_server, make_agent, seconds=45, authority=40, identity=20, token=15)
    assert report["handshakes"] > 100
    assert report["certificates"] >= 3
    assert report["jwt"] > 20
    assert report["authorities"] >= 2 and report["renewals"] >= 2 and report["rotations"] >= 3


@pytest.mark.slow
def test_everything_rotates_for_five_minutes_under_load_without_a_gap(make_server, make_agent):
    """CA, server, agent and workload identities of a minute; handshakes never fail, identities never lapse."""
    report = soak(make_server, make_agent, seconds=300, authority=60, identity=30, token=20)
    assert report["handshakes"] > 1000
    assert report["certificates"] >= 10
    assert report["jwt"] > 100
    assert report["authorities"] >= 5
