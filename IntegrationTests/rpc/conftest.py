# SPDX-License-Identifier: Apache-2.0
"""Starts the echo server (`SPIRE_BENCH=1 swift build --product rpc-echo`), named by RPC_ECHO or found in .build/debug.

Without either the tests are skipped; a program that RPC_ECHO names and that is not there is an error.
"""

import os
import pathlib
import socket
import subprocess
import tempfile
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Echo:
    def __init__(self):
        program = os.environ.get("RPC_ECHO", str(ROOT / ".build/debug/rpc-echo"))
        if "RPC_ECHO" not in os.environ and not os.path.exists(program):
            pytest.skip(f"no echo server at {program}")
        self.path = os.path.join(tempfile.mkdtemp(prefix="rpc-echo"), "echo.sock")
        self.process = subprocess.Popen([program, "serve", self.path], stdout=subprocess.DEVNULL)
        for _ in range(3000):
            with socket.socket(socket.AF_UNIX) as probe:
                if probe.connect_ex(self.path) == 0:
                    return
            time.sleep(0.01)
        raise AssertionError("the echo server does not listen")

    def rss(self):
        """Resident memory in kB."""
        for line in open(f"/proc/{self.process.pid}/status"):
            if line.startswith("VmRSS"):
                return int(line.split()[1])
        raise AssertionError("the echo server is gone")

    def is_running(self):
        return self.process.poll() is None

    def stop(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="module")
def echo():
    server = Echo()
    yield server
    assert server.is_running(), "the echo server crashed"
    server.stop()
