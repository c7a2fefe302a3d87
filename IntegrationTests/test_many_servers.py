# SPDX-License-Identifier: Apache-2.0
"""Three servers on one real database, agents spread over them: whatever breaks, no entry is lost and no identity withdrawn."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import threading
import time

import grpc
import pytest
from cluster import Cluster, Database, Gateway, Namespace, authority_count, can_make_namespaces
from programs import PROGRAMS, ROOT, Agent, Server, wait_for

# A change is seen by the other servers within a second; agents ask this often.
OFTEN = 'experimental {\n sync_interval = "300ms"\n }'
PEERS = ROOT / "IntegrationTests" / "peers"
STAYS = "spiffe://example.org/stays"


def fields(message):
    """The length-delimited fields of a protobuf message, as (number, bytes)."""
    place = 0

    def number():
        nonlocal place
        value = shift = 0
        while True:
            byte = message[place]
            place += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value
    while place < len(message):
        tag = number()
        if tag & 7 == 2:
            length = number()
            yield tag >> 3, message[place:place + length]
            place += length
        else:
            assert tag & 7 == 0
            number()


class Follower:
    """A workload with one stream open for as long as it is followed. What it was told is kept."""

    def __init__(self, agent):
        self.agent, self.ids, self.updates, self.withdrawn = agent, set(), 0, []
        self.must, self.closed = set(), False
        threading.Thread(target=self.follow, daemon=True).start()

    def follow(self):
        while not self.closed:
            try:
                with grpc.insecure_channel(self.agent.endpoint) as channel:
                    self.call = channel.unary_stream("/SpiffeWorkloadAPI/FetchX509SVID")(
                        b"", metadata=(("workload.spiffe.io", "true"),))
                    for update in self.call:
                        svids = [dict(fields(part)) for number, part in fields(update) if number == 1]
                        self.ids = {svid[1].decode() for svid in svids}
                        self.updates += 1
                        if not self.must <= self.ids:
                            self.withdrawn.append((time.strftime("%H:%M:%S"), self.must - self.ids))
            except grpc.RpcError as error:
                if self.must and self.agent.alive() and not self.closed:
                    self.withdrawn.append((time.strftime("%H:%M:%S"), f"{error.code()} {error.details()}"))
                time.sleep(0.1)

    def close(self):
        self.closed = True
        self.call.cancel()


class Writer:
    """Creates entries by way of every server in turn until told to stop, and knows which were acknowledged."""

    def __init__(self, cluster, name):
        self.cluster, self.name = cluster, name
        self.acknowledged, self.refused = set(), 0
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.write)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join()

    def write(self):
        number = 0
        while not self.stopping.is_set():
            number += 1
            path = f"/{self.name}-{number}"
            for turn in range(3):
                server = self.cluster.servers[(number + turn) % len(self.cluster.servers)]
                made = server("entry", "create", "-parentID", "spiffe://example.org/node", "-spiffeID",
                              f"spiffe://example.org{path}", "-selector", f"unix:uid:{os.getuid()}", "-output", "json", check=False)
                # A try whose answer was lost may have created it.
                if made.returncode == 0 and json.loads(made.stdout)["results"][0]["status"]["code"] in (0, 6):
                    self.acknowledged.add("spiffe://example.org" + path)
                    break
                self.refused += 1


class World:
    def __init__(self):
        # Sockets have short names, and database servers run as users who may not enter every folder.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="many-", dir="/tmp"))
        self.folder.chmod(0o755)
        self.agents, self.followers, self.closing = [], [], []

    def start(self, kind):
        self.database = Database(kind, self.folder / "db")
        self.closing.append(lambda: (self.database.kill("replica"), self.database.kill("primary"), self.database.gateway.close()))
        self.cluster = Cluster(self.folder, self.database)
        self.closing.append(self.cluster.stop)
        self.servers = self.cluster.servers
        self.cluster.start()

    def add_agents(self):
        """One at each server, and three that go to whichever server is there."""
        ways = [("127.0.0.1", server.port) for server in self.servers]
        ways += [(self.cluster.gateway.host, self.cluster.gateway.port)] * 3
        for number, way in enumerate(ways):
            self.add_agent(number, way)
        for agent in self.agents:
            agent.wait_healthy()
        self.servers[0].entry(STAYS)
        self.followers = [Follower(agent) for agent in self.agents]
        self.closing.append(lambda: [follower.close() for follower in self.followers])
        self.converge({STAYS})
        for follower in self.followers:
            follower.must = {STAYS}

    def add_agent(self, number, way):
        server = self.servers[number % len(self.servers)]
        agent = Agent(self.folder / f"a{number}", server, settings=OFTEN, address=way)
        agent.start(server.token("spiffe://example.org/node"), wait=False)
        self.agents.append(agent)
        self.closing.append(agent.stop)
        return agent

    def converge(self, expected, timeout=60):
        """Until every agent has these identities; nothing was withdrawn meanwhile, and every server knows their entries."""
        for follower in self.followers:
            wait_for(lambda: expected <= follower.ids, f"{follower.agent.folder.name} to have every identity", timeout)
        self.unbroken()
        for server in self.servers:
            known = server("entry", "show", "-output", "json").stdout
            paths = {f"spiffe://example.org{entry['spiffe_id']['path']}" for entry in json.loads(known)["entries"]}
            assert expected <= paths

    def unbroken(self):
        for follower in self.followers:
            assert not follower.withdrawn, (follower.agent.folder.name, follower.withdrawn, follower.agent.log()[-3000:])
        for program in self.agents + self.servers:
            assert program.alive(), program.log()[-3000:]

    def close(self):
        for follower in self.followers:
            follower.must = set()
        for step in reversed(self.closing):
            step()
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture(scope="module", params=["postgres", "mariadb"])
def world(request):
    if not Database.is_available(request.param):
        pytest.skip(f"{request.param} is not installed: dev/setup --tests")
    world = World()
    try:
        world.start(request.param)
        yield world
    finally:
        world.close()


# The tests of this file follow one another in the same world.

def test_servers_that_start_at_once_share_one_bundle(world):
    for server in world.servers:
        wait_for(lambda: authority_count(server) == (3, 3), "every server's authorities in the bundle", 5)


def test_a_join_token_is_used_once(world):
    before = 0
    for turn in range(4):
        token = world.servers[turn % 3].token()
        racers = [Agent(world.folder / f"r{turn}{number}", world.servers[number], key_manager="memory") for number in range(3)]
        for racer in racers:
            racer.start(token, wait=False)
        try:
            def decided():
                won = [racer for racer in racers if "Node attestation was successful" in racer.log()]
                lost = [racer for racer in racers if "join token does not exist or has already been used" in racer.log()]
                assert len(won) <= 1, "two agents were attested with one token"
                return len(won) == 1 and len(lost) == 2
            wait_for(decided, "one agent to win and the others to be refused", 30)
        finally:
            for racer in racers:
                racer.kill()
        before += 1
        for server in world.servers:
            assert server("agent", "count").stdout == f"{before} attested agent{'s' if before > 1 else ''}\n"


def test_a_change_is_seen_everywhere_at_once(world):
    world.add_agents()
    spans = []
    for number, server in enumerate(world.servers):
        identity = f"spiffe://example.org/seen-{number}"
        entry = server.entry(identity)
        start = time.monotonic()
        for follower in world.followers:
            wait_for(lambda: identity in follower.ids, f"{identity} on every agent", 10)
        spans.append(time.monotonic() - start)
        server("entry", "delete", "-entryID", entry)
        start = time.monotonic()
        for follower in world.followers:
            wait_for(lambda: identity not in follower.ids, f"{identity} gone from every agent", 10)
        spans.append(time.monotonic() - start)
    print("created or deleted until all six agents knew:", [f"{span:.2f}" for span in spans])
    # A second between servers, the agents' interval, signing.
    assert sorted(spans)[len(spans) // 2] < 2.5
    world.unbroken()


def test_a_ban_reaches_an_agent_of_another_server(world):
    agent = world.add_agent(9, ("127.0.0.1", world.servers[0].port))
    agent.wait_healthy()
    identity = re.search(r'spiffe_id="?(spiffe://example.org/spire/agent/join_token/[0-9a-f-]+)', agent.log()).group(1)
    assert world.servers[1]("agent", "ban", "-spiffeID", identity).stdout == "Agent banned successfully\n"
    wait_for(lambda: not agent.alive(), "the banned agent to end", 15)
    assert "Agent is banned" in agent.log()
    for server in world.servers:
        assert "Banned            : true" in server("agent", "show", "-spiffeID", identity).stdout
    world.agents.remove(agent)
    world.unbroken()


def test_a_killed_server_is_not_missed(world):
    with Writer(world.cluster, "kill") as writer:
        for victim in world.servers[1:]:
            wait_for(lambda: len(writer.acknowledged) >= 3, "entries to be written")
            victim.kill()
            count = len(writer.acknowledged)
            wait_for(lambda: len(writer.acknowledged) >= count + 5, "entries to be written without the victim")
            victim.start()
    world.converge(writer.acknowledged | {STAYS})
    for server in world.servers:
        assert authority_count(server) == (3, 3)


def test_the_database_restarts(world):
    world.database.kill()
    # What is cached is served without it. Writes wait for its return, for some seconds.
    with Writer(world.cluster, "restart") as writer:
        for agent in world.agents:
            assert STAYS in agent("api", "fetch", "x509").stdout
        assert not writer.acknowledged
        world.database.run()
        wait_for(lambda: len(writer.acknowledged) >= 9, "entries to be written again", 60)
    world.converge(writer.acknowledged | {STAYS})


def test_the_replica_is_promoted(world):
    with Writer(world.cluster, "before") as before:
        wait_for(lambda: len(before.acknowledged) >= 3, "entries to be written")
    world.converge(before.acknowledged | {STAYS})
    # Replication is asynchronous: what the old primary alone had acknowledged would be lost by any server.
    world.database.wait_replica(world.cluster.name)
    world.database.gateway.cut()
    world.database.kill()
    world.database.promote()
    with Writer(world.cluster, "after") as after:
        for agent in world.agents:
            assert STAYS in agent("api", "fetch", "x509").stdout
        assert not after.acknowledged
        world.database.gateway.restore(world.database.address("REPLICA_PORT"))
        wait_for(lambda: len(after.acknowledged) >= 6, "entries to be written to the promoted database", 60)
    world.converge(before.acknowledged | after.acknowledged | {STAYS})
    for server in world.servers:
        assert authority_count(server) == (3, 3)
        assert server("healthcheck").stdout == "Server is healthy.\n"


@pytest.mark.slow
def test_a_partition_between_a_server_and_everybody_else(world):
    """A fourth server in a network of its own: cut off, it serves nobody and harms nobody; healed, it has caught up."""
    if not can_make_namespaces():
        pytest.skip("needs root and network namespaces")
    space = Namespace(1)
    world.closing.append(space.close)
    way = Gateway(*world.database.gateway.backends, host=space.host)
    world.closing.append(way.close)
    far = Server(world.folder / "far", datastore=world.database.plugin(world.cluster.name, space.host, way.port), bind="0.0.0.0")
    world.closing.append(far.stop)
    far.start(prefix=space.prefix)
    agent = Agent(world.folder / "afar", far, settings=OFTEN, address=(space.own, far.port))
    world.closing.append(agent.stop)
    agent.start(far.token("spiffe://example.org/node"))
    follower = Follower(agent)
    world.followers.append(follower)
    world.agents.append(agent)
    wait_for(lambda: STAYS in follower.ids, "the far agent's identity")
    follower.must = {STAYS}
    space.cut()
    with Writer(world.cluster, "cut") as writer:
        wait_for(lambda: len(writer.acknowledged) >= 9, "entries to be written on this side", 60)
        # On the other side nothing can be written, and whoever tries is told so in bounded time.
        start = time.monotonic()
        tried = subprocess.run(
            [PROGRAMS / "spire-server", "entry", "create", "-socketPath", far.socket, "-parentID", "spiffe://example.org/node",
             "-spiffeID", "spiffe://example.org/lost", "-selector", "unix:uid:12345"],
            capture_output=True, text=True, timeout=180)
        print("a write on the cut side was refused after", time.monotonic() - start, tried.stderr)
        assert tried.returncode != 0
    assert far.alive() and agent.alive()
    assert not writer.acknowledged & follower.ids
    space.heal()
    world.converge(writer.acknowledged | {STAYS}, 120)


@pytest.mark.slow
def test_a_servers_clock_steps(world):
    """One server's clock is wrong, either way, and right again: its agents wait or go elsewhere, nobody loses an identity."""
    compiler = shutil.which("clang") or shutil.which("cc")
    library, step = world.folder / "clock.so", world.folder / "step"
    if not compiler or subprocess.run(
            [compiler, "-shared", "-fPIC", "-o", library, PEERS / "clock.c", "-ldl"]).returncode != 0:
        pytest.skip("needs a C compiler")
    step.write_text("0")
    victim = world.servers[2]
    victim.stop()
    victim.start(env={"LD_PRELOAD": str(library), "CLOCK_FILE": str(step)})
    followers = world.followers
    for offset in (600, -600, 7200, -7200):
        step.write_text(str(offset))
        # Two of its rotator's looks, so that what it does about the step is done.
        start = time.monotonic()
        with Writer(world.cluster, f"clock{offset}".replace("-", "m")) as writer:
            wait_for(lambda: len(writer.acknowledged) >= 6 and time.monotonic() > start + 11, "entries to be written", 60)
        # Whoever talks to the other servers has everything. The victim's own agents may not believe it now.
        world.followers = [follower for follower in followers if follower.agent.server is not victim]
        world.converge(writer.acknowledged | {STAYS}, 120)
        world.followers = followers
        world.unbroken()
        step.write_text("0")
        world.converge(writer.acknowledged | {STAYS}, 120)
    victim.stop()
    victim.start()
    world.converge({STAYS})
