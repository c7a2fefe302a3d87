# SPDX-License-Identifier: Apache-2.0
"""Handshakes with all servers in turn and fetches tokens for a while, and counts what failed.

Arguments: seconds, the SPIFFE ID everybody has, ports. Prints failures as they come and a JSON line at the end.
"""
import collections
import json
import socket
import ssl
import sys
import time

from fresh import Contexts, identity
from spiffe import WorkloadApiClient, X509Source

seconds, name, ports = float(sys.argv[1]), sys.argv[2], [int(port) for port in sys.argv[3:]]
contexts = Contexts(X509Source(timeout_in_seconds=20), ssl.PROTOCOL_TLS_CLIENT)
client = WorkloadApiClient(default_timeout=10)
counts = collections.Counter(handshakes=0, failed=0, jwt=0)
own, shown = set(), collections.defaultdict(set)
shortest = float("inf")
end = time.monotonic() + seconds
while time.monotonic() < end:
    port = ports[counts["handshakes"] % len(ports)]
    try:
        context, svid = contexts.current()
        own.add(svid.leaf.serial_number)
        left = svid.leaf.not_valid_after_utc.timestamp() - time.time()
        shortest = min(shortest, left)
        assert left > 0, "the served certificate has expired"
        with socket.create_connection(("127.0.0.1", port), timeout=10) as plain, context.wrap_socket(plain) as connection:
            assert identity(connection) == name
            shown[port].add(connection.getpeercert()["serialNumber"])
            connection.sendall(b"good day\n")
            answer = connection.recv(1024).decode()
            assert answer == f"hello {name}, you said good day\n", answer
        counts["handshakes"] += 1
        if counts["handshakes"] % 5 == 0:
            token = client.fetch_jwt_svid(audience={"a"})
            client.validate_jwt_svid(token.token, "a")
            counts["jwt"] += 1
    except Exception as error:
        counts["failed"] += 1
        print(f"{time.time():.1f} port {port} failed: {type(error).__name__} {error}", flush=True)
        time.sleep(0.1)
print(json.dumps({
    **counts, "certificates": len(own), "shown": [len(shown[port]) for port in ports], "shortest": round(shortest, 1)}), flush=True)
