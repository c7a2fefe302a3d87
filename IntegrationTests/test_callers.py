# SPDX-License-Identifier: Apache-2.0
"""Who is asking decides what is answered."""
import json
import os
import subprocess
import sys

import grpc
import pytest
from programs import PROGRAMS, ROOT, as_uid, wait_for

PEERS = ROOT / "IntegrationTests" / "peers"
FETCH = "/SpiffeWorkloadAPI/FetchX509SVID"
HEADER = (("workload.spiffe.io", "true"),)


def test_another_uid_is_denied(lab):
    lab.server.entry("spiffe://example.org/mine")
    lab.agent.wait_identity("spiffe://example.org/mine")
    # The programs may stand in a folder other users cannot enter.
    program = lab.folder / "spire-agent"
    program.write_bytes((PROGRAMS / "spire-agent").read_bytes())
    program.chmod(0o755)
    for parent in [lab.folder, *lab.folder.parents]:
        if parent.stat().st_uid == os.getuid() and str(parent) != "/":
            parent.chmod(parent.stat().st_mode | 0o111)
    other = as_uid(54321, program, "api", "fetch", "x509", "-socketPath", lab.agent.socket)
    assert other.returncode == 1
    assert other.stderr == "rpc error: code = PermissionDenied desc = no identity issued\n"
    assert other.stdout == ""
    # The other user's entry is for the other user alone.
    lab.server.entry("spiffe://example.org/theirs", "unix:uid:54321")
    wait_for(
        lambda: "spiffe://example.org/theirs" in as_uid(
            54321, program, "api", "fetch", "x509", "-socketPath", lab.agent.socket).stdout, "the other user's identity")
    assert "spiffe://example.org/theirs" not in lab.agent("api", "fetch", "x509").stdout


def test_a_connection_whose_process_is_gone_gets_nothing(lab, tmp_path):
    """The pid a connection was accepted from is dead, its socket lives on in a child: no identity."""
    lab.server.entry("spiffe://example.org/orphan")
    lab.agent.wait_identity("spiffe://example.org/orphan")
    # A process connects, hands the connection down to a child, and exits. The child then speaks gRPC on it.
    script = tmp_path / "orphan.py"
    script.write_text(f"""
import os, socket, sys, time
s = socket.socket(socket.AF_UNIX)
s.connect({str(lab.agent.socket)!r})
s.setblocking(True)
parent = os.getpid()
if os.fork():
    time.sleep(0.3)
    os._exit(0)
while os.getppid() == parent:
    time.sleep(0.01)
def frame(kind, flags, stream, body):
    return len(body).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + body
def literal(name, value):
    return b"\\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value
headers = b"".join(literal(n, v) for n, v in [
    (b":method", b"POST"), (b":scheme", b"http"), (b":path", b"{FETCH}"), (b":authority", b"localhost"),
    (b"content-type", b"application/grpc"), (b"te", b"trailers"), (b"workload.spiffe.io", b"true")])
s.sendall(b"PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n" + frame(4, 0, 0, b"") + frame(1, 4, 1, headers) + frame(0, 1, 1, b"\\0" * 5))
s.settimeout(5)
got = b""
try:
    while True:
        part = s.recv(65536)
        if not part: break
        got += part
except OSError:
    pass
open({str(tmp_path / "got")!r} + ".part", "wb").write(got)
os.rename({str(tmp_path / "got")!r} + ".part", {str(tmp_path / "got")!r})
""")
    subprocess.run([sys.executable, script], check=True, timeout=30)
    wait_for((tmp_path / "got").exists, "the orphan's answer")
    got = (tmp_path / "got").read_bytes()
    assert b"spiffe://example.org" not in got, "an identity was given to a process that is not the one that connected"
    # The same bytes from a living process are answered with an identity.
    alive = script.read_text().replace("if os.fork():", "if False:").replace("while os.getppid() == parent:", "while False:")
    (tmp_path / "got").unlink()
    script.write_text(alive)
    subprocess.run([sys.executable, script], check=True, timeout=30)
    assert b"spiffe://example.org/orphan" in (tmp_path / "got").read_bytes()


@pytest.mark.parametrize("mode", ["accepted", "unaccepted"])
def test_a_reused_pid_gets_nothing_of_what_its_new_owner_may_have(lab, mode):
    """The caller has ended and its pid is another user's process now, which has identities of its own."""
    if os.getuid() != 0 or not os.access("/proc/sys/kernel/ns_last_pid", os.W_OK):
        pytest.skip("needs root and a kernel that lets a process choose the next pid")
    if "spiffe://example.org/pid-owner" not in lab.server("entry", "show").stdout:
        lab.server.entry("spiffe://example.org/pid-owner", "unix:uid:54322")
    lab.server.entry(f"spiffe://example.org/ended-{mode}")
    lab.agent.wait_identity(f"spiffe://example.org/ended-{mode}")
    for parent in [lab.folder, *lab.folder.parents]:
        if parent.stat().st_uid == os.getuid() and str(parent) != "/":
            parent.chmod(parent.stat().st_mode | 0o111)
    for _ in range(5):
        run = subprocess.run(
            [sys.executable, PEERS / "pid_reuse.py", lab.agent.socket, mode, "54322"], capture_output=True, text=True, timeout=60)
        assert run.returncode == 0, run.stderr
        said = json.loads(run.stdout)
        if said["reused"] and b"spiffe://example.org/pid-owner" in bytes.fromhex(said["own"]):
            break
    else:
        raise AssertionError(f"the pid could not be reused: {said}")
    assert b"spiffe://" not in bytes.fromhex(said["orphan"])
    assert lab.agent("healthcheck").stdout == "Agent is healthy.\n"


@pytest.mark.parametrize("method", ["FetchX509SVID", "FetchX509Bundles", "FetchJWTBundles"])
def test_the_security_header_is_required_of_streams(lab, method):
    with grpc.insecure_channel(lab.agent.endpoint) as channel:
        for metadata in [(), (("workload.spiffe.io", "false"),), (("workload.spiffe.io", "true"),) * 2]:
            with pytest.raises(grpc.RpcError) as refused:
                next(channel.unary_stream(f"/SpiffeWorkloadAPI/{method}")(b"", metadata=metadata, timeout=10))
            assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
            assert refused.value.details() == "security header missing from request"


@pytest.mark.parametrize("method", ["FetchJWTSVID", "ValidateJWTSVID"])
def test_the_security_header_is_required_of_calls(lab, method):
    with grpc.insecure_channel(lab.agent.endpoint) as channel:
        with pytest.raises(grpc.RpcError) as refused:
            channel.unary_unary(f"/SpiffeWorkloadAPI/{method}")(b"", timeout=10)
        assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert refused.value.details() == "security header missing from request"


def test_oversize_and_broken_messages_are_refused_and_the_agent_lives(lab):
    with grpc.insecure_channel(lab.agent.endpoint) as channel:
        call = channel.unary_unary("/SpiffeWorkloadAPI/FetchJWTSVID")
        with pytest.raises(grpc.RpcError) as refused:
            call(b"\x0a\x05abcde" * 700_000, metadata=HEADER, timeout=20)
        assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        with pytest.raises(grpc.RpcError) as refused:
            call(b"\xff\xff\xff\xff", metadata=HEADER, timeout=10)
        assert refused.value.code() == grpc.StatusCode.INTERNAL
        with pytest.raises(grpc.RpcError) as refused:
            channel.unary_unary("/SpiffeWorkloadAPI/Nonsense")(b"", metadata=HEADER, timeout=10)
        assert refused.value.code() == grpc.StatusCode.UNIMPLEMENTED
        with pytest.raises(grpc.RpcError) as refused:
            call(b"", metadata=HEADER, timeout=10)
        assert refused.value.details() == "audience must be specified"
    assert lab.agent("healthcheck").stdout == "Agent is healthy.\n"


def test_the_admin_socket_is_not_for_everybody(lab):
    assert lab.server.socket.stat().st_mode & 0o777 == 0o770
    assert lab.agent.socket.stat().st_mode & 0o777 == 0o777
