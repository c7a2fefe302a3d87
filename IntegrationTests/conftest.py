# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the integration tests."""
import pathlib
import shutil
import subprocess
import tempfile

import pytest

from cluster import Database
from programs import SAMPLES, Agent, Server


def pytest_addoption(parser):
    parser.addoption("--slow", action="store_true", help="also run the soak and fault tests (minutes each)")


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: a soak or fault run; needs --slow")


def pytest_collection_modifyitems(config, items):
    if config.getoption("--slow"):
        return
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="needs --slow"))


@pytest.fixture
def started():
    """Collects running programs and stops them in reverse order, whatever happened."""
    programs = []
    yield programs
    for program in reversed(programs):
        if program.alive():
            program.process.terminate()
    for program in reversed(programs):
        if program.process:
            try:
                program.process.wait(15)
            except subprocess.TimeoutExpired:
                program.process.kill()


@pytest.fixture
def make_server(tmp_path, started):
    def make(name="server", **options):
        server = Server(tmp_path / name, **options)
        started.append(server)
        return server
    return make


@pytest.fixture
def make_agent(tmp_path, started):
    def make(server, name="agent", **options):
        agent = Agent(tmp_path / name, server, **options)
        started.append(agent)
        return agent
    return make


@pytest.fixture(scope="session")
def database_server():
    """Gives the one server of a kind that all tests share, which is started when first asked for."""
    # Where those may go as whom database servers run.
    folder = pathlib.Path(tempfile.mkdtemp(prefix="spire-databases-"))
    folder.chmod(0o755)
    servers = {}

    def get(kind):
        if not Database.is_available(kind):
            pytest.skip(f"{kind} is not installed: dev/setup --tests")
        if kind not in servers:
            servers[kind] = Database(kind, folder / kind)
        return servers[kind]
    yield get
    for server in servers.values():
        server.gateway.close()
        for which in ("replica", "primary"):
            server.kill(which)
    shutil.rmtree(folder, ignore_errors=True)


class Store:
    """An empty database. `options` make a server use it."""

    def __init__(self, server=None):
        self.server = server
        self.options = {}
        if server:
            self.name = server.create()
            self.options = {"datastore": server.plugin(self.name)}


@pytest.fixture(params=["sqlite3", "postgres", "mariadb"])
def any_store(request, database_server):
    """A new database of each kind in turn."""
    return Store(None if request.param == "sqlite3" else database_server(request.param))


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """A server and an agent shared by tests that only add to them; the node alias is /node."""
    # Sockets have short names: the path of one is at most 107 bytes.
    folder = tmp_path_factory.mktemp("lab")
    server = Server(folder / "server").start()
    agent = Agent(folder / "agent", server).start(server.token("spiffe://example.org/node"))

    class Lab:
        pass

    lab = Lab()
    lab.server, lab.agent, lab.folder = server, agent, folder
    yield lab
    agent.stop()
    server.stop()


@pytest.fixture(scope="session")
def samples():
    if not SAMPLES.exists():
        pytest.skip("the original's samples are not here")
    return SAMPLES
