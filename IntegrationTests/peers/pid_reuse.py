# SPDX-License-Identifier: Apache-2.0
"""A process connects and ends, its pid is given to another user's process, then the connection is used. As root.

Arguments: the agent's socket; `accepted` to end only once the agent has greeted, `unaccepted` to end at once; the other
process's uid. Prints JSON: what the connection was answered, and what the other process is answered on its own one.
"""
import json
import os
import signal
import socket
import sys
import time

path, mode, uid = sys.argv[1], sys.argv[2], int(sys.argv[3])


def frame(kind, flags, stream, body):
    return len(body).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + body


def literal(name, value):
    return b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value


HEADERS = b"".join(literal(name, value) for name, value in [
    (b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/SpiffeWorkloadAPI/FetchX509SVID"),
    (b":authority", b"localhost"), (b"content-type", b"application/grpc"), (b"te", b"trailers"),
    (b"workload.spiffe.io", b"true")])
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b"")
REQUEST = frame(1, 4, 1, HEADERS) + frame(0, 1, 1, b"\0" * 5)


def answer(connection, bytes_to_send):
    """All that is said within a while; a stream of updates has no end."""
    got = b""
    connection.settimeout(3)
    try:
        connection.sendall(bytes_to_send)
        while b"spiffe://" not in got:
            part = connection.recv(65536)
            if not part:
                break
            got += part
    except OSError:
        pass
    return got


def with_pid(pid, body):
    """Forks until the child has `pid`, and runs `body` in it. - Returns: whether that came about."""
    for _ in range(200):
        with open("/proc/sys/kernel/ns_last_pid", "w") as last:
            last.write(str(pid - 1))
        ready, told = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                if os.getpid() == pid:
                    body(told)
            finally:
                os._exit(0)
        os.close(told)
        if child == pid:
            return child, ready
        os.close(ready)
        os.waitpid(child, 0)
    return None


def other(told):
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    with socket.socket(socket.AF_UNIX) as own:
        own.connect(path)
        got = answer(own, PREFACE + REQUEST)
    os.write(told, got[:60000])
    os.close(told)
    time.sleep(30)


connection = socket.socket(socket.AF_UNIX)
go, tell = os.pipe()
first = os.fork()
if first == 0:
    connection.connect(path)
    os.write(tell, b"c")
    if mode == "accepted":
        connection.settimeout(10)
        connection.sendall(PREFACE)
        connection.recv(9, socket.MSG_PEEK)
    os._exit(0)
os.read(go, 1)
os.waitpid(first, 0)
started = with_pid(first, other)
if not started:
    print(json.dumps({"reused": False}))
    sys.exit(0)
child, ready = started
own = b""
while True:
    part = os.read(ready, 65536)
    if not part:
        break
    own += part
got = answer(connection, REQUEST if mode == "accepted" else PREFACE + REQUEST)
reused = os.path.exists(f"/proc/{first}")
os.kill(child, signal.SIGKILL)
os.waitpid(child, 0)
print(json.dumps({"reused": reused, "orphan": got.hex(), "own": own.hex()}))
