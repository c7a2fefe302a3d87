# SPDX-License-Identifier: Apache-2.0
"""Says one line over mutual TLS and prints the answer. Arguments: port, the server's SPIFFE ID."""
import sys

from spiffe import SpiffeId, X509Source
from spiffetls import dial
from spiffetls.tlsconfig.authorize import authorize_id

port, expected = sys.argv[1], sys.argv[2]
with X509Source(timeout_in_seconds=20) as source:
    connection = dial(f"127.0.0.1:{port}", source, authorize_fn=authorize_id(SpiffeId(expected)))
    connection.sendall(b"good day\n")
    print(connection.recv(1024).decode(), flush=True)
    connection.close()
