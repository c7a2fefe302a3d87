# SPDX-License-Identifier: Apache-2.0
"""Node attestation by join token, and what becomes of agents the operator no longer wants."""
import json
import sqlite3

from programs import SYNC_EVERY_SECOND, wait_for


def ended(agent):
    wait_for(lambda: not agent.alive(), "the agent to end", timeout=30)
    return agent.process.returncode


def test_a_used_token_is_refused(make_server, make_agent):
    server = make_server().start()
    token = server.token()
    make_agent(server, "first").start(token)
    second = make_agent(server, "second", settings='rebootstrap_mode = "never"').start(token, wait=False)
    wait_for(lambda: "join token does not exist or has already been used" in second.log(), "the refusal in the log", 30)
    assert server("agent", "count").stdout == "1 attested agent\n"


def test_an_expired_token_is_refused_and_used_up(make_server, make_agent):
    server = make_server().start()
    token = server("token", "generate", "-ttl", "1").stdout.split()[1]
    database = sqlite3.connect(server.folder / "data" / "datastore.sqlite3")
    database.execute("update join_tokens set expiry = 1")
    database.commit()
    database.close()
    agent = make_agent(server).start(token, wait=False)
    wait_for(lambda: "join token expired" in agent.log(), "the refusal in the log", 30)
    assert server("agent", "count").stdout == "0 attested agents\n"


def test_a_banned_agent_stops_and_stays_out(make_server, make_agent):
    server = make_server().start()
    agent = make_agent(server, settings=SYNC_EVERY_SECOND).start(server.token("spiffe://example.org/node"))
    agent_id = json.loads(server("agent", "list", "-output", "json").stdout)["agents"][0]["id"]
    spiffe_id = f"spiffe://{agent_id['trust_domain']}{agent_id['path']}"
    assert server("agent", "ban", "-spiffeID", spiffe_id).stdout == "Agent banned successfully\n"
    assert ended(agent) == 1
    assert "Agent is banned: removing SVID and shutting down" in agent.log()
    assert json.loads((agent.folder / "data" / "agent-data.json").read_text())["svid"] is None
    assert "Banned            : true" in server("agent", "list").stdout


def test_an_evicted_agent_needs_a_new_token(make_server, make_agent):
    server = make_server().start()
    agent = make_agent(server, settings=SYNC_EVERY_SECOND).start(server.token("spiffe://example.org/node"))
    agent_id = json.loads(server("agent", "list", "-output", "json").stdout)["agents"][0]["id"]
    spiffe_id = f"spiffe://{agent_id['trust_domain']}{agent_id['path']}"
    assert server("agent", "evict", "-spiffeID", spiffe_id).stdout == "Agent evicted successfully\n"
    assert ended(agent) == 1
    # The alias made with the token went with the agent.
    assert server("entry", "count").stdout == "0 registration entries\n"
    agent.start(server.token("spiffe://example.org/node"))
    assert server("agent", "count").stdout == "1 attested agent\n"


def test_insecure_bootstrap(make_server, make_agent):
    server = make_server().start()
    agent = make_agent(server, bootstrap="insecure_bootstrap = true").start(server.token("spiffe://example.org/node"))
    server.entry("spiffe://example.org/w")
    agent.wait_identity("spiffe://example.org/w")


def test_a_server_of_another_trust_domain_is_not_believed(make_server, make_agent):
    server = make_server().start()
    other = make_server("other").start()
    agent = make_agent(server)
    # The right server's address, another server's bundle.
    (server.folder / "bundle.pem").write_text(other("bundle", "show").stdout)
    token = server.token()
    agent.start(token, wait=False)
    wait_for(lambda: "certificate signed by unknown authority" in agent.log(), "the refusal in the log", 30)
    assert server("agent", "count").stdout == "0 attested agents\n"
