# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the integration tests."""
import subprocess

import pytest

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
