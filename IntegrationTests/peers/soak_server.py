# SPDX-License-Identifier: Apache-2.0
"""Serves mutual TLS until it is ended, one thread a connection. Argument: port."""
import sys
import threading

from OpenSSL import SSL
from spiffe import SpiffeId, X509Source
from spiffetls import ListenOptions, ServerTlsMode, listen
from spiffetls.tlsconfig.authorize import authorize_id

source = X509Source(timeout_in_seconds=20)
options = ListenOptions(
    tls_mode=ServerTlsMode.MTLS, authorize_fn=authorize_id(SpiffeId("spiffe://example.org/soak")), backlog=128)
listener = listen(f"127.0.0.1:{sys.argv[1]}", source, options)
print("listening", flush=True)


def serve(connection):
    try:
        connection.do_handshake()
        connection.sendall(connection.recv(64))
        connection.shutdown()
    except SSL.Error:
        pass
    connection.close()


while True:
    accepted, _ = listener.accept()
    threading.Thread(target=serve, args=(accepted,), daemon=True).start()
