# SPDX-License-Identifier: Apache-2.0
"""The RPC layer against h2load (nghttp2), a foreign HTTP/2 implementation."""

import re
import shutil
import struct
import subprocess

import pytest


@pytest.mark.skipif(shutil.which("h2load") is None, reason="h2load is not installed")
@pytest.mark.parametrize("method", ["Now", "Unary"])
def test_every_call_of_a_burst_is_answered(echo, tmp_path, method):
    body = tmp_path / "body"
    payload = b"\x0a\x40" + b"x" * 64
    body.write_bytes(b"\0" + struct.pack(">I", len(payload)) + payload)
    done = subprocess.run(
        ["h2load", "-n", "20000", "-c", "4", "-m", "16", "-d", str(body), "-H", "content-type: application/grpc",
         "-H", "te: trailers", f"--base-uri=unix:{echo.path}", f"http://localhost/test.Echo/{method}"],
        capture_output=True, text=True, timeout=120)
    assert re.search(r"20000 succeeded, 0 failed, 0 errored", done.stdout), done.stdout + done.stderr
