# SPDX-License-Identifier: Apache-2.0
"""Swift programs with SPIFFETLS do mutual TLS with one another and with Python's spiffe-tls, all served by our agent."""
import os
import shutil
import subprocess
import sys

import pytest
from programs import PROGRAMS, ROOT, free_port, wait_for

PEERS = ROOT / "IntegrationTests" / "peers"
# Server and client are told apart by their group.
SERVER_GROUP, CLIENT_GROUP = 60001, 60002
SERVER, CLIENT = "spiffe://example.org/tls-server", "spiffe://example.org/tls-client"
KINDS = {
    "swift": ([PROGRAMS / "mtls-server"], [PROGRAMS / "mtls-client"]),
    "python": ([sys.executable, PEERS / "mtls_server.py"], [sys.executable, PEERS / "mtls_client.py"]),
}

pytestmark = [
    pytest.mark.skipif(os.getuid() != 0 or not shutil.which("setpriv"), reason="needs root and setpriv to take another group"),
    pytest.mark.skipif(not (PROGRAMS / "mtls-server").exists(), reason="needs SPIRE_EXAMPLES=1 when building"),
]


@pytest.fixture(scope="module")
def world(module_world):
    world = module_world()
    for name, group in ((SERVER, SERVER_GROUP), (CLIENT, CLIENT_GROUP)):
        world.server.entry(name, f"unix:gid:{group}")
    for name, group in ((SERVER, SERVER_GROUP), (CLIENT, CLIENT_GROUP)):
        wait_for(lambda: name in world.run(group, PROGRAMS / "spire-agent", "api", "fetch", "x509", "-socketPath",
                                           world.agent.socket).communicate(timeout=20)[0], name)
    return world


@pytest.fixture(scope="module")
def module_world(tmp_path_factory):
    from programs import Agent, Server, SYNC_EVERY_SECOND
    made = []

    class World:
        def __init__(self):
            folder = tmp_path_factory.mktemp("tls")
            self.server = Server(folder / "server").start()
            made.append(self.server)
            self.agent = Agent(folder / "agent", self.server, settings=SYNC_EVERY_SECOND).start(
                self.server.token("spiffe://example.org/node"))
            made.append(self.agent)

        def run(self, group, *command):
            return subprocess.Popen(
                ["setpriv", f"--regid={group}", "--clear-groups", *map(str, command)], stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, text=True, env={**os.environ, "SPIFFE_ENDPOINT_SOCKET": self.agent.endpoint})
    yield World
    for program in reversed(made):
        program.stop()


def exchange(world, server, client, allowed=CLIENT, expected=SERVER):
    """One connection. - Returns: what the server and the client printed, and the client's exit code."""
    port = free_port()
    listener = world.run(SERVER_GROUP, *KINDS[server][0], port, allowed, 1)
    assert listener.stdout.readline() == "listening\n", listener.communicate()
    dialer = world.run(CLIENT_GROUP, *KINDS[client][1], port, expected)
    said = dialer.communicate(timeout=60)[0]
    try:
        return listener.communicate(timeout=20)[0], said, dialer.returncode
    except subprocess.TimeoutExpired:
        listener.kill()
        raise


@pytest.mark.parametrize("server,client", [("swift", "swift"), ("swift", "python"), ("python", "swift"), ("python", "python")])
def test_both_ends_know_one_another(world, server, client):
    served, said, _ = exchange(world, server, client)
    assert f"hello {CLIENT}, you said good day" in said
    assert f"served {CLIENT}" in served


@pytest.mark.parametrize("server,client", [("swift", "swift"), ("swift", "python"), ("python", "swift")])
def test_a_client_that_is_not_the_one_let_in_is_refused(world, server, client):
    served, said, _ = exchange(world, server, client, allowed="spiffe://example.org/somebody-else")
    assert "refused" in served and "served" not in served
    assert "hello" not in said


@pytest.mark.parametrize("server,client", [("swift", "swift"), ("python", "swift"), ("swift", "python")])
def test_a_server_that_is_not_the_one_expected_is_refused(world, server, client):
    served, said, status = exchange(world, server, client, expected="spiffe://example.org/somebody-else")
    assert "served" not in served
    assert "hello" not in said and status != 0


def test_a_running_swift_server_goes_on_through_rotations(world, make_server, make_agent):
    """SVIDs of 20 seconds: the same server process presents new ones, known by what openssl is shown."""
    from programs import SYNC_EVERY_SECOND, openssl
    server = make_server(settings='ca_ttl = "10m"\n default_x509_svid_ttl = "20s"').start()
    agent = make_agent(server, settings=SYNC_EVERY_SECOND).start(server.token("spiffe://example.org/node"))
    server.entry("spiffe://example.org/rotating")
    agent.wait_identity("spiffe://example.org/rotating")
    port = free_port()
    listener = subprocess.Popen(
        [PROGRAMS / "mtls-server", str(port), "spiffe://example.org/rotating", "1000"], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "SPIFFE_ENDPOINT_SOCKET": agent.endpoint})
    assert listener.stdout.readline() == "listening\n"
    seen = set()

    def rotated():
        shown = openssl("s_client", "-connect", f"127.0.0.1:{port}", input="").stdout
        serial = openssl("x509", "-noout", "-serial", input=shown).stdout
        if serial:
            seen.add(serial)
        return len(seen) >= 3
    try:
        wait_for(rotated, "the server to present three certificates", timeout=60)
    finally:
        listener.kill()
        listener.communicate()
