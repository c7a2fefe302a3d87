# SPDX-License-Identifier: Apache-2.0
"""The Swift client library beside Python's, both on a Workload API made with grpcio.

The programs are those of Examples/MutualTLS, built by the root manifest with SPIRE_EXAMPLES=1.
"""
import os
import pathlib
import socket
import ssl
import subprocess
import sys

import pytest
from programs import PROGRAMS, ROOT, free_port, wait_for

HERE = pathlib.Path(__file__).resolve().parent
PEERS = ROOT / "IntegrationTests" / "peers"
CLIENT, SERVER = "spiffe://example.org/client", "spiffe://example.org/server"

pytestmark = pytest.mark.skipif(
    not (PROGRAMS / "mtls-server").exists(), reason="needs SPIRE_EXAMPLES=1 swift build --product mtls-server (and mtls-client)")


class WorkloadAPI:
    def __init__(self, folder):
        self.path = folder / "api.sock"
        self.process = subprocess.Popen(
            [sys.executable, HERE / "workload_api_server.py", self.path], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n"

    def tell(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "done\n"

    def run(self, *command):
        return subprocess.Popen(
            [str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**os.environ, "SPIFFE_ENDPOINT_SOCKET": f"unix://{self.path}"})


@pytest.fixture
def api(tmp_path):
    api = WorkloadAPI(tmp_path)
    yield api
    api.process.stdin.close()
    api.process.wait(timeout=10)


PROGRAMS = {
    "swift": ([PROGRAMS / "mtls-server"], [PROGRAMS / "mtls-client"]),
    "python": ([sys.executable, PEERS / "mtls_server.py"], [sys.executable, PEERS / "mtls_client.py"]),
}


# The API's first identity is the client's: it is what every program here presents.
@pytest.mark.parametrize("server,client", [("swift", "swift"), ("swift", "python"), ("python", "swift")])
def test_both_ends_know_one_another(api, server, client):
    port = free_port()
    listener = api.run(*PROGRAMS[server][0], port, CLIENT, 1)
    assert listener.stdout.readline() == "listening\n", listener.communicate()
    dialer = api.run(*PROGRAMS[client][1], port, CLIENT)
    said, _ = dialer.communicate(timeout=30)
    assert f"hello {CLIENT}, you said good day" in said
    assert f"served {CLIENT}" in listener.communicate(timeout=30)[0]


@pytest.mark.parametrize("server,client", [("swift", "swift"), ("swift", "python"), ("python", "swift")])
def test_the_wrong_client_is_refused(api, server, client):
    port = free_port()
    listener = api.run(*PROGRAMS[server][0], port, SERVER, 1)
    assert listener.stdout.readline() == "listening\n"
    api.run(*PROGRAMS[client][1], port, CLIENT).communicate(timeout=30)
    assert "refused" in listener.communicate(timeout=30)[0]


@pytest.mark.parametrize("server,client", [("swift", "swift"), ("python", "swift")])
def test_the_wrong_server_is_refused(api, server, client):
    port = free_port()
    listener = api.run(*PROGRAMS[server][0], port, CLIENT, 1)
    assert listener.stdout.readline() == "listening\n"
    dialer = api.run(*PROGRAMS[client][1], port, SERVER)
    said, _ = dialer.communicate(timeout=30)
    assert "unexpected ID" in said and "hello" not in said
    assert dialer.returncode != 0
    listener.communicate(timeout=30)


def test_a_running_server_follows_rotation(api):
    port = free_port()
    listener = api.run(*PROGRAMS["swift"][0], port, CLIENT, 1000)
    assert listener.stdout.readline() == "listening\n"

    def served():
        # A client started now knows the current authority alone.
        return "hello" in api.run(*PROGRAMS["swift"][1], port, CLIENT).communicate(timeout=30)[0]

    for _ in range(3):
        wait_for(served, "the server to present what was rotated")
        api.tell("rotate")
    listener.kill()
    listener.communicate()


def test_a_client_waits_for_its_identity(api):
    api.tell("deny")
    port = free_port()
    listener = api.run(*PROGRAMS["swift"][0], port, CLIENT, 1)
    with pytest.raises(subprocess.TimeoutExpired):
        listener.communicate(timeout=0.5)
    api.tell("allow")
    assert listener.stdout.readline() == "listening\n"
    assert "hello" in api.run(*PROGRAMS["swift"][1], port, CLIENT).communicate(timeout=30)[0]
    listener.communicate(timeout=30)


def test_a_client_without_certificate_gets_nothing(api):
    port = free_port()
    listener = api.run(*PROGRAMS["swift"][0], port, CLIENT, 1)
    assert listener.stdout.readline() == "listening\n"
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port)) as plain:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            with context.wrap_socket(plain) as secure:
                secure.sendall(b"hello\n")
                if not secure.recv(10):
                    raise ConnectionError("closed")
    assert "refused" in listener.communicate(timeout=30)[0]


def test_a_resuming_client_is_verified_anew(api, tmp_path, monkeypatch):
    from cryptography.hazmat.primitives import serialization
    from spiffe import X509Source
    monkeypatch.setenv("SPIFFE_ENDPOINT_SOCKET", f"unix://{api.path}")
    pem = tmp_path / "svid.pem"
    with X509Source(timeout_in_seconds=20) as source:
        svid = source.svid
        pem.write_bytes(
            svid.private_key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
            + b"".join(c.public_bytes(serialization.Encoding.PEM) for c in svid.cert_chain))
    port = free_port()
    listener = api.run(*PROGRAMS["swift"][0], port, CLIENT, 4)
    assert listener.stdout.readline() == "listening\n"
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.minimum_version = context.maximum_version = version
        context.load_cert_chain(pem)
        session = None
        for _ in range(2):
            with socket.create_connection(("127.0.0.1", port)) as plain:
                with context.wrap_socket(plain, session=session) as secure:
                    secure.sendall(b"good day\n")
                    assert f"hello {CLIENT}".encode() in secure.recv(1024)
                    assert not secure.session_reused
                    session = secure.session
        assert session is not None
    assert listener.communicate(timeout=30)[0].count("served") == 4
