# SPDX-License-Identifier: Apache-2.0
"""Agents spread over servers: away from one that stops at once, and to one that is new as their streams reach their age.

Nothing here can be a poll: agents ask once an hour. Each has one workload whose updates are followed all the time.
"""
import os
import shutil
import socket
import subprocess
import time
from collections import Counter

import pytest
from cluster import Cluster, authority_count
from programs import Agent, free_port, wait_for
from test_many_servers import Follower
from test_push import HOURLY, following

STAYS = "spiffe://example.org/stays"
COUNT = 4


def share_bundle(servers):
    for server in servers:
        wait_for(lambda: authority_count(server) == (2, 2), "both servers' authorities in the bundle")


class Fleet:
    """Two servers on one database and agents that reach whichever the gateway gives them, the first one to begin with."""

    def __init__(self, folder, database, settings=""):
        self.folder, self.agents, self.followers = folder, [], []
        self.cluster = Cluster(folder, database, count=2, settings=settings)
        self.servers, self.gateway = self.cluster.servers, self.cluster.gateway
        self.ways = list(self.gateway.backends)
        self.gateway.backends = self.ways[:1]
        self.cluster.start()
        share_bundle(self.servers)

    def add_agents(self):
        for number in range(COUNT):
            agent = Agent(
                self.folder / f"a{number}", self.servers[0], settings=HOURLY, address=(self.gateway.host, self.gateway.port))
            self.agents.append(agent)
            agent.start(self.servers[0].token("spiffe://example.org/node"), wait=False)
        for agent in self.agents:
            agent.wait_healthy()
            following(agent)
        self.servers[0].entry(STAYS)
        self.followers = [Follower(agent) for agent in self.agents]
        self.told(STAYS)
        for follower in self.followers:
            follower.must = {STAYS}
            follower.begun = len(follower.agent.log())

    def told(self, identity, timeout=20):
        for follower in self.followers:
            wait_for(lambda: identity in follower.ids, f"{identity} on {follower.agent.folder.name}", timeout)

    def placed(self):
        """How many connections each server has."""
        with self.gateway.lock:
            links = list(self.gateway.links)
        count = Counter()
        for _, far in links:
            try:
                count[far.getpeername()[1]] += 1
            except OSError:
                continue
        return [count[server.port] for server in self.servers]

    def unbroken(self):
        for follower in self.followers:
            assert not follower.withdrawn, follower.withdrawn
            assert follower.agent.alive()
            log = follower.agent.log()[follower.begun:].splitlines()
            wrong = [line for line in log if "polling" in line or "level=warn" in line or "level=error" in line]
            # A server may be up to a second behind the one an agent comes from; what it does not know yet is asked for again.
            wrong = [line for line in wrong if "entry not found or not authorized" not in line]
            assert not wrong, wrong

    def close(self):
        for follower in self.followers:
            follower.must = set()
            follower.close()
        for agent in self.agents:
            agent.stop()
        self.cluster.stop()


@pytest.fixture
def make_fleet(tmp_path_factory, database_server):
    fleets = []

    def make(**options):
        # Short names, for sockets.
        fleets.append(Fleet(tmp_path_factory.mktemp("f"), database_server("postgres"), **options))
        fleets[-1].add_agents()
        return fleets[-1]
    yield make
    for fleet in fleets:
        fleet.close()


def test_agents_of_a_server_that_stops_go_on_at_another_at_once(make_fleet):
    fleet = make_fleet()
    assert fleet.placed() == [COUNT, 0]
    # As a load balancer that still sends some to the one that goes.
    fleet.gateway.backends = fleet.ways
    stopping, other = fleet.servers
    stopping.process.terminate()
    start = time.monotonic()
    other.entry("spiffe://example.org/meanwhile")
    fleet.told("spiffe://example.org/meanwhile")
    span = time.monotonic() - start
    wait_for(lambda: not stopping.alive(), "the server to have stopped")
    print(f"told {span:.2f} s after the signal; the server ended after {time.monotonic() - start:.2f} s")
    assert stopping.process.returncode == 0
    # Half a second over which they arrive, the handshake, signing: far from any pause after a failure.
    assert span < 10
    wait_for(lambda: fleet.placed() == [0, COUNT], "all agents at the other server")
    other.entry("spiffe://example.org/after")
    fleet.told("spiffe://example.org/after")
    fleet.unbroken()
    for agent in fleet.agents:
        assert agent.log().count("Server asked this agent to go elsewhere; opening another stream") == 1


def test_agents_come_to_a_new_server_as_their_streams_reach_their_age(make_fleet):
    fleet = make_fleet(settings='experimental { agent_stream_age = "3s" }')
    fleet.gateway.backends = fleet.ways
    # Whoever is sent away too soon after it came would be pausing: three times are free.
    wait_for(lambda: fleet.placed()[1] >= 1 and fleet.placed()[0] >= 1, "agents at both servers", 30)
    number = 0
    moves = len(fleet.agents)
    while sum(agent.log().count("opening another stream") for agent in fleet.agents) < moves:
        number += 1
        server = fleet.servers[number % 2]
        identity = f"spiffe://example.org/turn-{number}"
        entry = server.entry(identity)
        for follower in fleet.followers:
            # Once it is there it stays, also at a server that has not heard of it when the agent comes.
            wait_for(lambda: identity in follower.ids, f"{identity} on {follower.agent.folder.name}")
            follower.must = {STAYS, identity}
        for follower in fleet.followers:
            follower.must = {STAYS}
        server("entry", "delete", "-entryID", entry)
        assert number < 100
    fleet.unbroken()


def test_the_addresses_of_a_name_are_all_used(make_server, make_agent, database_server, tmp_path):
    """A name that stands for two servers, as with a headless service: agents do not all choose the same."""
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 localhost\n127.0.0.1 servers.test\n127.0.0.2 servers.test\n")
    private = ["unshare", "--mount", "sh", "-c", f'mount --bind {hosts} /etc/hosts && exec "$@"', "sh"]
    if os.getuid() != 0 or not shutil.which("unshare") or subprocess.run(
            [*private, "true"], capture_output=True).returncode != 0:
        pytest.skip("needs root and mount namespaces")
    database = database_server("postgres")
    name = database.create()
    port = free_port()
    servers = [make_server(f"s{number}", datastore=database.plugin(name), port=port, bind=f"127.0.0.{number}") for number in (1, 2)]
    for server in servers:
        server.start()
    share_bundle(servers)
    agents = [make_agent(servers[0], f"a{number}", settings=HOURLY, address=("servers.test", port)) for number in range(8)]
    for agent in agents:
        agent.start(servers[0].token("spiffe://example.org/node"), wait=False, prefix=private)

    def chosen():
        lines = subprocess.run(
            ["ss", "-Htn", "state", "established", f"dport = :{port}"], capture_output=True, text=True, check=True).stdout
        return {line.split()[3].rsplit(":", 1)[0] for line in lines.splitlines()}
    for agent in agents:
        agent.wait_healthy()
        following(agent)
    # By chance all eight choose alike once in 128 times.
    for turn in range(2, 8):
        if len(chosen()) == 2:
            break
        for agent in agents:
            agent.stop()
            agent.start(prefix=private)
            following(agent, turn)
    assert chosen() == {"127.0.0.1", "127.0.0.2"}
