# SPDX-License-Identifier: Apache-2.0
"""Handshakes and fetches for a while and counts what failed. Arguments: port, seconds. Prints a JSON line."""
import json
import sys
import time

from spiffe import JwtSource, SpiffeId, WorkloadApiClient, X509Source
from spiffetls import dial
from spiffetls.tlsconfig.authorize import authorize_id

port, seconds = sys.argv[1], float(sys.argv[2])
source = X509Source(timeout_in_seconds=20)
client = WorkloadApiClient(default_timeout=10)
counts = {"handshakes": 0, "failed": 0, "jwt": 0}
certificates = set()
end = time.monotonic() + seconds
while time.monotonic() < end:
    try:
        leaf = source.svid.leaf
        certificates.add(leaf.serial_number)
        assert leaf.not_valid_after_utc.timestamp() > time.time(), "the served certificate has expired"
        connection = dial(
            f"127.0.0.1:{port}", source, authorize_fn=authorize_id(SpiffeId("spiffe://example.org/soak")))
        connection.sendall(b"x")
        assert connection.recv(64) == b"x"
        connection.close()
        counts["handshakes"] += 1
        if counts["handshakes"] % 5 == 0:
            token = client.fetch_jwt_svid(audience={"a"})
            client.validate_jwt_svid(token.token, "a")
            counts["jwt"] += 1
    except Exception as error:
        counts["failed"] += 1
        print(f"{time.time():.1f} failed: {type(error).__name__} {error}", flush=True)
        time.sleep(0.1)
counts["certificates"] = len(certificates)
print(json.dumps(counts), flush=True)
